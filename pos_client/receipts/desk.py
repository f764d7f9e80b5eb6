"""Receipts of this till's entries, written from its journal and mirror."""

from __future__ import annotations

from loyalty.ledger import Entry, EntryKind
from pos_client.config import Config
from pos_client.office.story import Versions
from pos_client.receipts.code import ReceiptCodes
from pos_client.receipts.document import Receipt, Shop, write
from pos_client.reckoning import TillError
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import Terminal


class ReceiptDesk:
    """Writes receipts."""

    def __init__(self, store: Store, terminal: Terminal, config: Config, *, training: bool = False) -> None:
        """Write for this till; `training` marks every receipt as one that is none."""
        self._training = training
        self._terminal = terminal
        self._config = config
        self._mirror = Mirror(store)
        self._versions = Versions(store)
        self._codes = ReceiptCodes(store)

    def receipt(self, entry: Entry, *, copy: bool = False) -> Receipt:
        """The receipt of a booked entry, with the member's balance as this till knows it now.

        Raises:
            TillError: `no_receipt`: a manager's decision has none; `no_programme`: its version is gone from here.
        """
        if entry.kind is EntryKind.RESOLUTION:
            raise TillError("no_receipt", "a decision about a parked entry has no receipt: look at the inbox")
        programme = self._versions.of(entry)
        if programme is None:
            raise TillError(
                "no_programme",
                f"this till no longer has version {entry.programme_version} of programme {entry.programme}",
            )
        till = self._config.till
        sold = entry.kind is EntryKind.SALE and "return_code" in programme.receipt.show
        return write(
            entry,
            programme,
            self._mirror.find(entry.card),
            Shop(self._terminal.store_name, till.name, till.time_zone),
            language=till.language,
            as_of_ms=self._mirror.contact().as_of_ms,
            show_first_name=till.show_first_name,
            return_code=self._codes.write(entry) if sold else None,
            copy=copy,
            training=self._training,
        )
