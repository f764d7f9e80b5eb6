"""A long queue says in the log how far it is, and a short one nothing."""

from __future__ import annotations

from structlog.testing import capture_logs

from sync.progress import PROGRESS_EVERY_S, Logged


def test_a_line_in_the_log_each_time_that_the_last_is_long_ago() -> None:
    now_s = 100.0
    told = Logged(lambda: now_s)
    with capture_logs() as lines:
        told(125, 2000)
        now_s += PROGRESS_EVERY_S - 0.1
        told(375, 2000)
        assert lines == []
        now_s += 0.1
        told(875, 2000)
        told(1375, 2000)
        now_s += PROGRESS_EVERY_S
        told(1875, 2000)
    assert [(line["event"], line["sent"], line["of"]) for line in lines] == [
        ("sending a long queue", 875, 2000),
        ("sending a long queue", 1875, 2000),
    ]
