"""Twenty tills for a day, one kind of trouble at a time: figures that say it happened, and books that hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loyalty.programme import OfflineMode
from pos_client.simulation.checks import checked
from pos_client.simulation.report import Report
from pos_client.simulation.run import Simulation
from pos_client.simulation.scenario import Scenario
from sync.agent import MAX_BACKOFF_S

QUIET = Scenario(tills=20, days=1, seed=7, sales_per_day=3, outage=False, restart=False, skewed=0, cloned=0)


@contextmanager
def simulation(scenario: Scenario) -> Iterator[Simulation]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        with Simulation(scenario, Path(folder)) as made:
            yield made


def simulated(scenario: Scenario) -> Report:
    with simulation(scenario) as made:
        return made.run()


def expect_all_is_well(report: Report) -> None:
    assert report.complete
    assert report.checks.problems == ()
    assert report.checks.overspent_points == 0
    assert report.tally.sales > 30
    assert report.tally.nights_agreed == report.tally.nights
    assert report.checks.waiting == 0


def test_a_quiet_day_and_the_night_after_it() -> None:
    report = simulated(QUIET)
    expect_all_is_well(report)
    assert report.checks.at_head_office == report.tally.sales
    assert report.checks.parked == {}
    assert report.tally.failed_rounds == 0
    assert report.tally.nights == 20
    assert report.requests["entries"] >= 30
    # Each till comes at its own moment: twenty of them in four hours hardly ever meet.
    assert 1 <= report.night_peak.per_s <= 6


def test_a_region_without_a_line_sells_on_and_catches_up() -> None:
    report = simulated(replace(QUIET, outage=True, sales_per_day=8))
    expect_all_is_well(report)
    (drain,) = report.drains
    assert drain["tills"] == 2
    assert drain["entries"] > 0
    assert 0 < drain["drained_s"] <= MAX_BACKOFF_S + 60
    assert report.refused_tries > 10
    assert report.checks.at_head_office == report.tally.sales


def test_head_office_away_for_two_minutes() -> None:
    report = simulated(replace(QUIET, restart=True))
    expect_all_is_well(report)
    (drain,) = report.drains
    assert drain["tills"] == 20
    assert 0 < drain["drained_s"] <= MAX_BACKOFF_S + 60
    assert report.tally.failed_rounds >= 20
    assert report.checks.at_head_office == report.tally.sales


def test_wrong_clocks_are_mended_and_lose_nothing() -> None:
    report = simulated(replace(QUIET, skewed=1))
    expect_all_is_well(report)
    assert report.requests["clock_skew"] >= 20
    assert report.checks.at_head_office == report.tally.sales
    assert report.checks.parked == {}


def test_copied_tills_are_found_out_and_nothing_of_either_is_lost() -> None:
    report = simulated(replace(QUIET, cloned=0.1, sales_per_day=5))
    assert report.checks.problems == ()
    assert report.superseded == 2
    assert report.requests["epochs"] >= 2
    assert report.checks.parked["stream_conflict"] >= 2
    assert report.tally.refused_rounds > 0
    assert report.checks.waiting_at_copies > 0
    assert report.checks.at_head_office + report.checks.waiting_at_copies == report.tally.sales
    assert report.checks.overspent_points == 0


def test_everything_at_once_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    scenario = Scenario(tills=10, days=1, seed=7, sales_per_day=2)
    first, again, other = (simulated(one) for one in (scenario, scenario, replace(scenario, seed=8)))
    assert first.sound
    assert first.as_json() == again.as_json()
    assert first.tally != other.tally


@pytest.mark.parametrize("policy", OfflineMode)
def test_no_policy_overspends_more_than_it_says(policy: OfflineMode) -> None:
    report = simulated(replace(QUIET, policy=policy, sales_per_day=5))
    assert report.checks.problems == ()
    assert report.checks.overspent_points <= report.checks.allowed_points
    assert (report.checks.allowed_points > 0) is (policy is OfflineMode.CAPPED)
    assert (report.tally.rewards > 0) is (policy is not OfflineMode.NEVER)
    assert report.tally.refused_rewards > 0


def test_a_run_that_is_stopped_reports_what_there_is() -> None:
    with simulation(QUIET) as made:
        report = made.run(lambda done, _: made.stop() if done > 14 * 3600 else None)
    assert not report.complete
    assert 14 * 3600 <= report.simulated_s < 15 * 3600
    assert report.tally.sales > 0
    assert report.tally.nights == 0
    assert report.sound


def test_the_checks_find_what_is_wrong() -> None:
    with simulation(QUIET) as made:
        assert made.run().sound

        def problems() -> str:
            found = checked(made.office, made.tills, made.machines, made.receipts, allowed_points=0)
            return "; ".join(found.problems)

        conn = made.office.conn
        gone, *_ = (receipt.id for receipt in made.receipts)
        conn.execute("UPDATE ledger SET debt = 5 WHERE entry_id = %s", (gone,))
        assert "5 points overspent, the policy allows 0" in problems()
        conn.execute("DELETE FROM ledger WHERE entry_id = %s", (gone,))
        assert gone in problems()
        assert "balance is not the sum" in problems()
        made.receipts.pop()
        assert "that no till printed" in problems()
        twice = made.receipts[-1]
        conn.execute(
            "INSERT INTO parked (terminal_id, epoch, seq, digest, code, text, raw, business_date) SELECT terminal_id, "
            "0, seq, digest, 'x', 'x', raw, business_date FROM ledger WHERE entry_id = %s",
            (twice.id,),
        )
        assert f"1 receipts more than once at head office, such as {twice.id}" in problems()
