"""A substitute for WeChat that uses little CPU: `python -m tests.bench.wechat PORT`.

The code of a login decides the response: `k.<openid>.<anything>` returns that openid,
`n.<anything>` a new openid, and `x.<anything>` is rejected. Other requests control the server:

- `GET /delay/<milliseconds>` sets the delay of every later response.
- `GET /hang/<appid>` delays every later response to the app by 30 seconds.
- `GET /calls` returns the number of code exchanges.
"""

import asyncio
import re
import sys
from hashlib import md5
from typing import ClassVar, cast

from tests.bench.data.people import is_on_open_platform, session_key_of, unionid_of

ASKED = re.compile(rb"GET /sns/jscode2session\?(\S+) HTTP")
APPID = re.compile(rb"\bappid=([A-Za-z0-9_-]+)")
CODE = re.compile(rb"\bjs_code=([A-Za-z0-9._-]+)")
HANG = re.compile(rb"GET /hang/([A-Za-z0-9_-]+) HTTP")
HANG_SECONDS = 30
DELAY = re.compile(rb"GET /delay/([0-9]+) HTTP")
BACKLOG = 4096
# The content type that WeChat sends with JSON.
HEAD = "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"


class WeChat(asyncio.Protocol):
    """A connection. The class attributes are the state of the server."""

    delay = 0.0
    calls = 0
    hanging: ClassVar[set[bytes]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request. Requests have no body."""
        *heads, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for head in heads:
            self.answer(head)

    def answer(self, head: bytes) -> None:
        """Answer a request, after the delay if one is set."""
        answer, delay = answer_to(head), self.delay
        if (appid := APPID.search(head)) and appid[1] in self.hanging:
            delay = HANG_SECONDS
        if not delay:
            self.send(head, answer)
        else:
            asyncio.get_running_loop().call_later(delay, self.send, head, answer)

    def send(self, head: bytes, answer: bytes) -> None:
        """Send the response unless the client has disconnected."""
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if b"connection: close" in head.lower():
            self.transport.close()


def answer_to(head: bytes) -> bytes:
    """Return the response to a code exchange or a control request. Apply the control request."""
    login = ASKED.match(head)
    appid, code = (pattern.search(login[1]) for pattern in (APPID, CODE)) if login else (None, None)
    if appid and code:
        WeChat.calls += 1
        if code[1].startswith(b"x."):
            return response_text("200 OK", '{"errcode":40029,"errmsg":"invalid code"}')
        return response_text("200 OK", identity(appid[1].decode(), code[1].decode()))
    if found := DELAY.match(head):
        WeChat.delay = int(found[1]) / 1000
        return response_text("200 OK", "{}")
    if found := HANG.match(head):
        WeChat.hanging.add(found[1])
        return response_text("200 OK", "{}")
    if head.startswith(b"GET /calls "):
        return response_text("200 OK", str(WeChat.calls))
    return response_text("404 Not Found", "{}")


def identity(appid: str, code: str) -> str:
    """Return the JSON body of code2Session."""
    kind, _, rest = code.partition(".")
    openid = rest.partition(".")[0] if kind == "k" else new_openid(code)
    union = f',"unionid":"{unionid_of(openid)}"' if is_on_open_platform(appid) else ""
    return f'{{"session_key":"{session_key_of(openid)}","openid":"{openid}"{union}}}'


def new_openid(code: str) -> str:
    """Return an openid computed from the code."""
    return "oN" + md5(code.encode(), usedforsecurity=False).hexdigest()[:26]


def response_text(status: str, body: str) -> bytes:
    """Return an HTTP response."""
    return HEAD.format(status=status, length=len(body), body=body).encode()


async def serve(port: int) -> None:
    """Run the server until the process is stopped."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(WeChat, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
