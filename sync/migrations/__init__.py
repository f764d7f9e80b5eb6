"""The till database's schema, as numbered steps that only ever add."""

from __future__ import annotations

from sqlite_utils.migrations import Migrations

from sync.migrations import m001_first, m002_programme_engine, m005_epochs

migrations = Migrations("till")
migrations(name="m001_first")(m001_first.apply)
migrations(name="m002_programme_engine")(m002_programme_engine.apply)
migrations(name="m005_epochs")(m005_epochs.apply)
