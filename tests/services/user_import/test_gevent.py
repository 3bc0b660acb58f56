"""A gevent worker serves other requests while it reads a large import file.

Each test runs a script in a separate process, because gevent patches the standard library.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
WORKER = """
from gevent import monkey; monkey.patch_all()
import gevent, time
from app.errors import UserFileUnreadable
from app.services.passwords.hashing import hash_password
from app.services.user_import.validation import read_rows
from app.services.user_import.files import read_user_file

longest, last, done = 0.0, time.monotonic(), False

def others():
    global longest, last
    while not done:
        last = time.monotonic()
        gevent.sleep(0.001)
        longest = max(longest, time.monotonic() - last)

rows = b"".join(b"person%d,139%08d,\\n" % (n, n) for n in range(20000))
other = gevent.spawn(others)
gevent.sleep(0.01)
start = time.monotonic()
file = read_user_file(b"account,phone,nickname\\n" + rows)
assert len(read_rows(file.people).people) == 20000
hashed = {hash_password("long-enough") for _ in range(20)}
took, done = time.monotonic() - start, True
other.join()
try:
    read_user_file(b'account\\n"')
except UserFileUnreadable:
    refused = True
assert refused
assert len(hashed) == 20 and took > 3 * longest, (took, longest)
print(f"{took:.2f} s of work; longest wait {longest * 1000:.0f} ms")
"""


def test_gevent_worker_serves_other_requests_while_it_reads_a_large_import_file() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORKER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)


FALLBACK = """
from gevent import monkey; monkey.patch_all()
import gevent, time
from app.errors import UserFileUnreadable
from app.services.user_import import calamine_rows
from app.services.user_import.files import read_user_file
from tests.fixtures.user_files import strict, xlsx_of

longest, last, done = 0.0, time.monotonic(), False

def others():
    global longest, last
    while not done:
        last = time.monotonic()
        gevent.sleep(0.001)
        longest = max(longest, time.monotonic() - last)

rows = [(f"person{n}", 13900000000 + n) for n in range(4000)]
content = strict(xlsx_of(("account", "phone"), *rows))
other = gevent.spawn(others)
gevent.sleep(0.01)
longest, start = 0.0, time.monotonic()
readers = [gevent.spawn(read_user_file, content) for _ in range(2)]
gevent.joinall(readers, raise_error=True)
took, done = time.monotonic() - start, True
other.join()
assert all(len(reader.value.people) == 4000 for reader in readers)
assert took > 3 * longest, (took, longest)
calamine_rows.SECONDS = 0.01
try:
    read_user_file(content)
except UserFileUnreadable as failure:
    refused = failure.cause
assert refused == "calamine: TimeoutExpired", refused
print(f"{took:.2f} s of work; longest wait {longest * 1000:.0f} ms")
"""


def test_gevent_worker_serves_other_requests_while_calamine_reads_a_file() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FALLBACK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)
