"""What a password costs to try, for real: the other tests hash with less."""

import subprocess
import sys

REAL = """
from app.services.passwords import NOBODYS_HASH, hash_password, is_password
own = hash_password("a password")
print(own.rsplit("$", 2)[0], NOBODYS_HASH.rsplit("$", 2)[0])
print(is_password("a password", own), is_password("another", own), is_password("a password", None))
print(own != hash_password("a password"))
"""


def test_a_password_is_hashed_as_owasp_asks() -> None:
    """Otherwise a stolen dump is guessed through, or a missing account answers faster."""
    told = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, check=True)
    params, answers, salted = told.stdout.splitlines()
    assert params.split() == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2
    assert answers == "True False False"
    assert salted == "True"
