"""The till database's schema, as numbered steps that only ever add."""

from __future__ import annotations

from sqlite_utils.migrations import Migrations

from sync.migrations import (
    m001_first,
    m002_programme_engine,
    m003_members,
    m004_spending,
    m005_epochs,
    m006_inbox,
    m007_snapshot,
    m008_receipts,
    m009_office,
    m010_answers,
    m011_fewer_indexes,
    m012_certificate,
    m013_open_sales,
    m014_tokens,
    m015_register,
    m016_day_card,
    m018_undo,
)

migrations = Migrations("till")
migrations(name="m001_first")(m001_first.apply)
migrations(name="m002_programme_engine")(m002_programme_engine.apply)
migrations(name="m003_members")(m003_members.apply)
migrations(name="m004_spending")(m004_spending.apply)
migrations(name="m005_epochs")(m005_epochs.apply)
migrations(name="m006_inbox")(m006_inbox.apply)
migrations(name="m007_snapshot")(m007_snapshot.apply)
migrations(name="m008_receipts")(m008_receipts.apply)
migrations(name="m009_office")(m009_office.apply)
migrations(name="m010_answers")(m010_answers.apply)
migrations(name="m011_fewer_indexes")(m011_fewer_indexes.apply)
migrations(name="m012_certificate")(m012_certificate.apply)
migrations(name="m013_open_sales")(m013_open_sales.apply)
migrations(name="m014_tokens")(m014_tokens.apply)
migrations(name="m015_register")(m015_register.apply)
migrations(name="m016_day_card")(m016_day_card.apply)
migrations(name="m018_undo")(m018_undo.apply)
