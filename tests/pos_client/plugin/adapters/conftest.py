"""One till with every adapter on for all the golden exchanges of a module, which build on one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pos_client.plugin.api import create_api
from pos_client.runtime import Runtime
from tests.pos_client.plugin.adapters.shop import shop
from tests.pos_client.plugin.conftest import TOKEN, serving


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    made = shop(tmp_path_factory.mktemp("till"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def url(adapted: Runtime) -> Iterator[str]:
    with serving(create_api(adapted, TOKEN)) as address:
        yield address
