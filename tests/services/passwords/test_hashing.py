"""What a password costs to try, for real: the other tests hash with less."""

from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from app.services.passwords import hashing


@pytest.fixture(scope="module")
def real() -> ModuleType:
    """Load the module anew: nothing is patched in this one."""
    spec = spec_from_file_location("passwords_as_written", hashing.__file__)
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_password_is_hashed_as_owasp_asks(real: ModuleType) -> None:
    """Otherwise a stolen dump is guessed through, or a missing account answers faster."""
    own = real.hash_password("a password")
    params = [hashed.rsplit("$", 2)[0] for hashed in (own, real.DECOY_HASH)]
    assert params == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2
    assert real.is_password("a password", own)
    assert not real.is_password("another", own)
    assert not real.is_password("a password", None)
    assert own != real.hash_password("a password")
