"""Password hashing with production parameters. The other tests use cheaper ones."""

from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from app.services.passwords import hashing


@pytest.fixture(scope="module")
def production_hashing() -> ModuleType:
    """Return a second copy of the hashing module, without test patches."""
    spec = spec_from_file_location("passwords_as_written", hashing.__file__)
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_passwords_are_hashed_with_the_parameters_recommended_by_owasp(
    production_hashing: ModuleType,
) -> None:
    """The decoy hash, which is compared for unknown accounts, has the same parameters."""
    own = production_hashing.hash_password("a password")
    params = [hashed.rsplit("$", 2)[0] for hashed in (own, production_hashing.DECOY_HASH)]
    assert params == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2
    assert production_hashing.is_password("a password", own)
    assert not production_hashing.is_password("another", own)
    assert not production_hashing.is_password("a password", None)
    assert own != production_hashing.hash_password("a password")
