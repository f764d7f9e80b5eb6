"""Structured log lines on standard error, for people or for programs."""

from __future__ import annotations

import logging
import sys

import structlog

from pos_client.config import LogConfig


def set_up_logs(config: LogConfig) -> None:
    """Send structlog's events to standard error at the configured level; no event carries a card number."""
    level = logging.getLevelName(config.level.upper())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if config.format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
