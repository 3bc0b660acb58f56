"""wxpass itself, as `make bench` measures it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.data.people import Person
from tests.bench.data.rows import KNOWN, NEW, VERIFY
from tests.bench.data.world import WORKERS, World
from tests.bench.peers.compared_service import Api, ComparedService, Kind

NAME, CHECK = "wxpass", "/v1/verify"
ROWS = {Kind.CHECK: VERIFY, Kind.KNOWN: KNOWN, Kind.NEW: NEW}


@contextmanager
def running(world: World) -> Iterator[ComparedService]:
    """Run wxpass inside the block."""
    with world.serving() as service:
        yield ComparedService(NAME, WORKERS, service, world.database_url, API, ROWS)


def user_id(person: Person) -> str:
    """Return the id of a person's user."""
    return person.user_id


def headers_of(login: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a check after a login."""
    return {"Authorization": f"Bearer {login['token']}"}


API = Api(CHECK, user_id, headers_of, sessions="login_sessions", users="users")
