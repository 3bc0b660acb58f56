"""A running service for the examples and commands of the documentation.

The tests run only with `make test-docs`, because they need Node.js, npm and Go.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from config.development.postgres import hold_server
from tests.clients.service import run
from tests.docs.back_ends import PROGRAMS, BackEnd, serving
from tests.docs.forgeries import Forger
from tests.docs.gateway import Gateway
from tests.docs.site import Site

# Set by `make test-docs`. Without it, the tests of this folder are not collected.
collect_ignore_glob = [] if os.environ.get("TEST_DOCS") else ["test_*.py"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service with the data of `make run`, and a WeChat simulator."""
    var = tmp_path_factory.mktemp("docs") / "var"
    with ExitStack() as stack:
        addresses = run(stack, var)
        database = stack.enter_context(hold_server(var))
        secrets = json.loads((var / "secrets.json").read_text())
        yield Site(**addresses, var=var, database=database.url, pem=secrets["JWT_PRIVATE_KEY"])


@pytest.fixture(scope="session")
def forger(site: Site) -> Forger:
    """A forger with a genuine JWT of Alice, of the first signing key."""
    return Forger(site.jwt(site.log_in("alice")), site.pem)


@pytest.fixture(scope="session")
def open_gateway(site: Site) -> Iterator[Gateway]:
    """The address at which the back ends reach wxpass."""
    gateway = Gateway(site.service)
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(open_gateway: Gateway) -> Iterator[Gateway]:
    """The gateway, which forwards requests until a test says otherwise."""
    yield open_gateway
    open_gateway.behave("forward")


@pytest.fixture(scope="session", params=PROGRAMS)
def back_end(
    request: pytest.FixtureRequest,
    open_gateway: Gateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BackEnd]:
    """A running example."""
    with serving(request.param, open_gateway.url, tmp_path_factory.mktemp("back_end")) as running:
        yield running
