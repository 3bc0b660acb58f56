"""CPU time of a call to WeChat with several HTTP clients: `python -m tests.bench.transports`.

Each client runs three times, in greenlets as in a worker, and the medians are printed. The clients
run in turn. Results of different machines are comparable only by their ratios. geventhttpclient is
included if it is installed.
"""

# ruff: noqa: E402 (gevent must patch the standard library before other imports)
from gevent.monkey import patch_all

patch_all()

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

import gevent
import requests
import urllib3
from requests.adapters import HTTPAdapter

from app.wechat import WeChatClient
from app.wechat.transport import Transport

PATH = "/sns/jscode2session"
QUERY = {
    "appid": "wx1234567890abcdef",
    "secret": "a5ec12e7" * 4,
    "js_code": "071GaTvK0UyoL92mO8yK",
    "grant_type": "authorization_code",
}
HEADERS = {"User-Agent": "wxpass", "Accept-Encoding": "identity"}
LONGEST = 64 * 1024 + 1
CALLS, TURNS = 1920, 3

# The server runs in a separate process, so its CPU time is not counted.
SERVER = """
import asyncio

BODY = b'{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}'
HEAD = "HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: {}\\r\\n\\r\\n"

class WeChat(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.asked = transport, b""
    def data_received(self, data):
        self.asked += data
        while b"\\r\\n\\r\\n" in self.asked:
            self.asked = self.asked.partition(b"\\r\\n\\r\\n")[2]
            self.transport.write(HEAD.format(len(BODY)).encode() + BODY)

async def main():
    server = await asyncio.get_running_loop().create_server(WeChat, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def ways_to(url: str) -> dict[str, Callable[[], object]]:
    """Return a function for each HTTP client that sends one request, by the name of the client."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update(HEADERS)
    adapter = HTTPAdapter(pool_maxsize=500)
    session.mount("http://", adapter)
    prepared = session.prepare_request(requests.Request("GET", url + PATH))
    transport, client = Transport(url), WeChatClient(url)
    pool = urllib3.connection_from_url(url, maxsize=500)
    never, timeout = urllib3.Retry(False, redirect=False), urllib3.Timeout(3, 5)
    target = f"{PATH}?{'&'.join(f'{name}={value}' for name, value in QUERY.items())}"

    def pooled_session() -> object:
        with session.get(url + PATH, params=QUERY, timeout=(3, 5), stream=True) as answer:
            return json.loads(answer.raw.read(LONGEST, decode_content=True))

    def prepared_request() -> object:
        request = prepared.copy()
        request.url = url + target
        with adapter.send(request, stream=True, timeout=(3, 5)) as answer:
            return json.loads(answer.raw.read(LONGEST, decode_content=True))

    def urllib3_pool() -> object:
        answer = pool.urlopen("GET", target, None, HEADERS, never, timeout=timeout)
        return json.loads(answer.data)

    return {
        "requests, one session": pooled_session,
        "requests.get": lambda: requests.get(url + PATH, params=QUERY, timeout=(3, 5)).json(),
        "requests, prepared once": prepared_request,
        "urllib3's pool": urllib3_pool,
        **ways_of_geventhttpclient(url, target),
        "our transport": lambda: transport.exchange("GET", target),
        "our code_to_session": lambda: client.code_to_session(*list(QUERY.values())[:3]),
    }


def ways_of_geventhttpclient(url: str, target: str) -> dict[str, Callable[[], object]]:
    """Return a call with the pool and the response of geventhttpclient, if it is installed.

    Its client is not used, because it repeats requests.
    """
    if find_spec("geventhttpclient") is None:
        return {}
    pools: Any = import_module("geventhttpclient.connectionpool")
    responses: Any = import_module("geventhttpclient.response")
    host = url.removeprefix("http://")
    name, _, port = host.partition(":")
    pool = pools.ConnectionPool(name, int(port), name, int(port), size=500, connection_timeout=3)
    fields = "".join(f"{field}: {value}\r\n" for field, value in HEADERS.items())
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()

    def pooled_socket() -> object:
        connection = pool.get_socket()
        connection.sendall(request)
        answer = responses.HTTPSocketPoolResponse(connection, pool, method="GET")
        return json.loads(answer.read(LONGEST))

    return {"geventhttpclient's pool": pooled_socket}


def measure(way: Callable[[], object], greenlets: int) -> tuple[float, float]:
    """Return the CPU time per call in microseconds, and the calls per second."""

    def calls(number: int) -> None:
        gevent.joinall([gevent.spawn(repeat, number) for _ in range(greenlets)], raise_error=True)

    def repeat(number: int) -> None:
        for _ in range(number):
            way()

    calls(1)
    cpu, began = time.process_time(), time.perf_counter()
    calls(CALLS // greenlets)
    return (
        (time.process_time() - cpu) / CALLS * 1e6,
        CALLS / (time.perf_counter() - began),
    )


def main() -> None:
    """Print a line for each HTTP client and number of greenlets."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    ways = ways_to(f"http://127.0.0.1:{int(server.stdout.readline())}")
    try:
        for greenlets in (16, 64):
            turns = [
                {name: measure(way, greenlets) for name, way in ways.items()} for _ in range(TURNS)
            ]
            costs = {name: median(turn[name][0] for turn in turns) for name in ways}
            for name, cost in costs.items():
                speed = median(turn[name][1] for turn in turns)
                ratio = cost / costs["requests, one session"]
                print(f"{greenlets:3} {name:25}{cost:6.0f} us {ratio:5.2f} {speed:7.0f}/s")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
