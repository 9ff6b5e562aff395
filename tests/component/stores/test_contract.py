"""What every store must do, on real servers: the suite that is shipped for stores of anybody's making."""

import pytest

from component.stores.conftest import MakeStore
from whatsapp_worker import stores
from whatsapp_worker.stores import testing


class Kinds:
    """Give each test a new, empty store of each kind that has a server."""

    @pytest.fixture(params=["s3", "mongodb"])
    def store(self, request: pytest.FixtureRequest, make_store: MakeStore) -> stores.Backend:
        return make_store(request.param)


class TestStores(Kinds, testing.StoreContract):
    """The four primitives."""


class TestCopies(Kinds, testing.CopiesContract):
    """The copy for the JavaScript stores."""
