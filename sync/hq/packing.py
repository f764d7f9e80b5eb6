"""Values in PostgreSQL's own binary form, packed by hand where a batch has hundreds of them. Pure.

psycopg packs any value of any type, one call each; for rows and arrays whose types are known beforehand one call packs
many. The forms are those of PostgreSQL's documentation, COPY "Binary Format", and of its functions array_send and
record_send: big-endian, a length before each value, -1 for NULL.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, repeat
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from sync.hq.database import Connection

NULL = struct.pack("!i", -1)
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = struct.pack("!h", -1)
_EPOCH = date(2000, 1, 1).toordinal()
_LENGTH = struct.Struct("!i")
_INT4 = struct.Struct("!ii")
_INT8 = struct.Struct("!iq")
_TEXT_OID, _TEXTS_OID = 25, 1009
_INT8_OID, _INT8S_OID = 20, 1016
_UUID_OID, _UUIDS_OID = 2950, 2951
_UUID_LENGTH = _LENGTH.pack(16)


def packed(value: bytes) -> bytes:
    """A bytea, a uuid by its 16 bytes, or a text by its UTF-8."""
    return _LENGTH.pack(len(value)) + value


def int4(value: int) -> bytes:
    """An integer."""
    return _INT4.pack(4, value)


def int8(value: int) -> bytes:
    """A bigint."""
    return _INT8.pack(8, value)


def days(day: date) -> int:
    """A date as PostgreSQL keeps it, in an integer's four bytes: days since 2000-01-01."""
    return day.toordinal() - _EPOCH


def copy_rows(conn: Connection, table: str, columns: str, rows: Sequence[bytes]) -> None:
    """COPY rows into a table, each the number of its columns as two bytes and then its packed values."""
    with conn.cursor().copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)") as copy:
        copy.write(b"".join((_COPY_HEAD, *rows, _COPY_END)))


@dataclass(frozen=True, slots=True)
class Texts:
    """A text[] to pass to a statement."""

    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bigints:
    """A bigint[] to pass to a statement."""

    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Uuids:
    """A uuid[] to pass to a statement."""

    values: Sequence[UUID]


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = _TEXTS_OID

    def dump(self, obj: Texts) -> bytes:
        encoded = [value.encode() for value in obj.values]
        lengths = map(_LENGTH.pack, map(len, encoded))
        return b"".join((_array(_TEXT_OID, len(encoded)), *chain.from_iterable(zip(lengths, encoded, strict=True))))


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _INT8S_OID

    def dump(self, obj: Bigints) -> bytes:
        count = len(obj.values)
        values = chain.from_iterable(zip(repeat(8, count), obj.values, strict=True))
        return _array(_INT8_OID, count) + struct.pack("!" + "iq" * count, *values)


class _UuidsDumper(Dumper):
    format = Format.BINARY
    oid = _UUIDS_OID

    def dump(self, obj: Uuids) -> bytes:
        head = _array(_UUID_OID, len(obj.values))
        return _UUID_LENGTH.join([head, *[value.bytes for value in obj.values]])


def _array(oid: int, count: int) -> bytes:
    """What stands before the values: dimensions, no NULLs, the type, then the one dimension from 1 on."""
    return struct.pack("!iii", 1 if count else 0, 0, oid) + (struct.pack("!ii", count, 1) if count else b"")


psycopg.adapters.register_dumper(Texts, _TextsDumper)
psycopg.adapters.register_dumper(Bigints, _BigintsDumper)
psycopg.adapters.register_dumper(Uuids, _UuidsDumper)
