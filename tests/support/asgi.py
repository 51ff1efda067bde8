"""Asks an ASGI application in the test's own process: a request in, an answer out, no socket."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp


@dataclass(frozen=True)
class Answered:
    """`headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(app: ASGIApp, target: str, method: str = "GET", **headers: str) -> Answered:
    """What the application answers. A header's name is written with underscores; `host` is ours unless given."""
    return asyncio.run(_ask(app, target, method, {"host": "127.0.0.1:9851", **headers}))


def scope(target: str, method: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "headers": named, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 9851),
    }  # fmt: skip


async def _ask(app: ASGIApp, target: str, method: str, headers: Mapping[str, str]) -> Answered:
    sent: list[Any] = []
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in asked:
            return message
        return await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(60):
        await app(scope(target, method, headers), receive, send)
    start, *rest = sent
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answered(start["status"], found, b"".join(each.get("body", b"") for each in rest))
