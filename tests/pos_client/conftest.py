"""One web application for the cashier's screen and the manager's pages: NiceGUI keeps its pages in the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from pos_client.manager import mounting
from pos_client.runtime import Runtime
from pos_client.screen import cashier
from tests.support.browser import serving
from tests.support.till import make_runtime


@dataclass(frozen=True, slots=True)
class Pages:
    """The till whose cashier's screen is at `url`, and the one whose manager's pages are at `url`manager."""

    counter: Runtime
    office: Runtime
    url: str


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Both stay up while files of other folders run in between."""
    counter = make_runtime(tmp_path_factory.mktemp("till"), screen={"manual_sales": True})
    office = make_runtime(tmp_path_factory.mktemp("office") / "till")
    app = FastAPI()
    mounting.mount(office)
    cashier.mount(app, counter)
    with serving(app) as url:
        yield Pages(counter, office, url)
    counter.store.close()
    office.store.close()
