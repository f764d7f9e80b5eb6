"""Values packed by hand are what PostgreSQL reads: every value comes back as it went in."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.hq.database import Database
from sync.hq.packing import NULL, Bigints, Texts, Uuids, copy_rows, days, int4, int8, packed

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
BIGINTS = st.integers(-(2**63), 2**63 - 1)
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(texts=st.lists(TEXTS, max_size=8), numbers=st.lists(BIGINTS, max_size=8), names=st.lists(st.uuids(), max_size=8))
def test_arrays_come_back(database: Database, texts: list[str], numbers: list[int], names: list[UUID]) -> None:
    with database.connection() as conn:
        row = conn.execute(
            "SELECT %b::text[], %b::bigint[], %b::uuid[]", (Texts(texts), Bigints(numbers), Uuids(names))
        ).fetchone()
    assert row == (texts, numbers, names)


@QUICK
@given(
    rows=st.lists(
        st.tuples(
            TEXTS | st.none(),
            st.uuids(),
            st.binary(max_size=40),
            st.integers(-(2**31), 2**31 - 1),
            BIGINTS,
            st.dates(date(1900, 1, 1), date(2999, 12, 31)),
        ),
        max_size=5,
    )
)
def test_copied_rows_come_back(database: Database, rows: list[tuple[str | None, UUID, bytes, int, int, date]]) -> None:
    with database.connection() as conn, conn.transaction(force_rollback=True):
        conn.execute("CREATE TEMPORARY TABLE sheet (a text, b uuid, c bytea, d integer, e bigint, f date)")
        made = [
            b"\x00\x06"
            + (NULL if text is None else packed(text.encode()))
            + packed(name.bytes)
            + packed(raw)
            + int4(small)
            + int8(large)
            + int4(days(day))
            for text, name, raw, small, large, day in rows
        ]
        copy_rows(conn, "sheet", "a, b, c, d, e, f", made)
        assert conn.execute("SELECT * FROM sheet").fetchall() == rows
