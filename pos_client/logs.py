"""Structured log lines: on standard error, and of a running till in files that are rotated; card data masked in all."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

import structlog

from drivers.masking import mask
from loyalty.cards import CardFormat
from pos_client.config import LogConfig

LOG_NAME = "till.log"
MAX_LOG_BYTES = 2 * 1024 * 1024
"""One file: more than a week of an ordinary till, and small enough to send to support."""
KEPT_LOGS = 5
"""Older files beside the one that is written: 12 MiB in all."""
MAX_TEXT = 8000
"""Characters of one value of an event; the trace of a deep fault is cut there."""

# Anything that could be a payment card: 12 digits, or 13 in groups. The hour of a moment comes after a T, and minutes
# after a colon, so times are none. A UUID's digits may be hit, which harms nobody.
_DIGITS = re.compile(r"[0-9]{12,}|[0-9](?:(?:[ ._/\n\r\t-]{1,2}|\\{1,4}[nrt])?[0-9]){12,}")
# Tracks (ISO/IEC 7813) from the start sentinel as far as they came: digits, and the name between two ^.
_TRACKS = re.compile(r"%[A-Z][0-9 ]{6,}\^[^^?]{0,40}(?:\^[^?\"\s]{0,60})?\??|;[0-9]{6,}=[0-9=]*\??")
# Rotating credentials, which hold a member's key (docs/credentials.md).
_CREDENTIALS = re.compile(r"S1\.[0-9A-Z]{4,}\.[0-9]+\.[0-9]+|S2:[0-9A-Z $%*+./:-]{20,}")
_AT_END = re.compile(r"[0-9 ._/-]*\Z")


class Masker:
    """Takes card data out of finished lines: whoever wrote them, and however the data got there."""

    def __init__(self, formats: Sequence[CardFormat] = ()) -> None:
        """`formats`: the shop's own cards."""
        own = "|".join(f"{re.escape(one.prefix)}[0-9A-Z]{{{one.length - len(one.prefix)}}}" for one in formats)
        self._numbers = ([re.compile(own, re.IGNORECASE)] if own else []) + [_DIGITS]

    def __call__(self, line: str) -> str:
        """`line` without tracks and credentials, and each number that may be a card's down to its last four."""
        line = _TRACKS.sub("…", _CREDENTIALS.sub("…", line))
        for pattern in self._numbers:
            line = pattern.sub(lambda found: mask(re.sub(r"\\+[nrt]|[^0-9A-Za-z]", "", found[0])), line)
        return line


class _Lines(structlog.stdlib.ProcessorFormatter):
    """One masked line for each event, from structlog or from a library's own logger."""

    def __init__(self, renderer: structlog.typing.Processor, masker: Masker) -> None:
        super().__init__(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _cut, renderer],
            foreign_pre_chain=_SHARED,
        )
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        return self._masker(super().format(record))


class _Errors(logging.Handler):
    """Standard error, as it is when the line is written."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        print(self.format(record), file=sys.stderr, flush=True)


class _Files(RotatingFileHandler):
    """The rotated files, for their owner alone. A disk that takes no line is said once, and stops nothing."""

    def __init__(self, path: Path) -> None:
        self._said = False
        super().__init__(path, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOGS, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return open(  # type: ignore[return-value]
            self.baseFilename, self.mode, encoding=self.encoding, opener=lambda name, flags: os.open(name, flags, 0o600)
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say on standard error that lines are lost."""
        if not self._said:
            self._said = True
            print(f"log lines cannot be written to {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)


def _cut(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            # Not in the middle of a number, which its masker would no longer know as one.
            event[name] = _AT_END.sub("", value[:MAX_TEXT]) + "…"
    return event


_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
_ours: list[logging.Handler] = []
"""The handlers of the last set-up; whoever else listens, a test say, goes on listening."""


def set_up_logs(config: LogConfig, folder: Path | None = None, formats: Sequence[CardFormat] = ()) -> str | None:
    """Send events of the configured level and above to standard error and, as JSON lines, to files in `folder`.

    Args:
        folder: made when it is not there; without one that can be used there are no files.
        formats: the shop's own cards, whose numbers are masked too.

    Returns:
        Why there are no files, in one line; None when there are, or none are wanted.
    """
    problem = None
    level = logging.getLevelName(config.level.upper())
    masker = Masker(formats)
    programs: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    people: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    to_errors = _Errors()
    to_errors.setFormatter(_Lines(programs if config.format == "json" else people, masker))
    handlers: list[logging.Handler] = [to_errors]
    if folder is not None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files = _Files(folder / LOG_NAME)
            files.setFormatter(_Lines(programs, masker))
            handlers.append(files)
        except OSError as error:
            problem = f"log folder {folder} cannot be used: {error.strerror}; the log is on standard error alone"
    root = logging.getLogger()
    for old in _ours:
        root.removeHandler(old)
        with contextlib.suppress(OSError):  # a full disk takes its last lines no more than those before
            old.close()
    _ours[:] = handlers
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(max(logging.WARNING, level))  # what libraries tell below that is about themselves
    logging.getLogger("spaarpunt").setLevel(level)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    return problem


def log_faults() -> None:
    """Have a fault that ends the program or one of its threads logged: Python would print its trace unmasked."""
    log = structlog.get_logger("spaarpunt.app")

    def of_program(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        log.critical("ended by a fault", exc_info=(kind, fault, trace))

    def of_thread(ended: threading.ExceptHookArgs) -> None:
        fault = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.error("a thread ended by a fault", thread=ended.thread.name if ended.thread else "?", exc_info=fault)

    sys.excepthook = of_program
    threading.excepthook = of_thread
