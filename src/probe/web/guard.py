"""What is true of every answer: who may have sent the request, which headers it has, how long it may take."""

import asyncio
import ipaddress
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# How long a client may take to accept what is sent next.
SEND_DEADLINE_S = 10.0
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_READING = ("GET", "HEAD")


class SlowClientError(Exception):
    """A client does not accept what it asked for."""


class Guard:
    """Passes on what may be answered, and adds the headers that protect whoever reads the answer."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts` are the names in a Host header that are ours, as somebody types them: with a port, too."""
        self._app = app
        self._hosts = frozenset(map(_name, hosts)) - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _guarded(send)
        refusal = self._refusal(scope)
        try:
            await (refusal or self._app)(scope, receive, guarded)
        except SlowClientError:
            # Nothing is sent to it any more; the server closes what was not ended.
            return

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _READING:
            allow = {"Allow": ", ".join(_READING)}
            return PlainTextResponse("GET and HEAD only\n", HTTPStatus.METHOD_NOT_ALLOWED, allow)
        if not self._is_ours(headers.getlist("host"), scope):
            text = "this name is not one of this server's: `probe web --allowed-host NAME` adds it\n"
            return PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)
        if _is_embedding(headers):
            return PlainTextResponse("not from another site\n", HTTPStatus.FORBIDDEN)
        return None

    def _is_ours(self, named: list[str], scope: Scope) -> bool:
        """A page of another site may have its name resolved to this machine, but it can't make the name ours."""
        if len(named) != 1:
            return False
        name = _name(named[0])
        return name in self._hosts or _is_same_address(name, (scope.get("server") or ("",))[0])


def _name(host: str) -> str:
    """As it is compared: without the dot at its end, which a browser sends where somebody has typed it."""
    return (host if _is_address(host) else without_port(host)).rstrip(".").lower()


def without_port(host: str) -> str:
    """The name or address of a Host header, without brackets and port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_same_address(name: str, server: str) -> bool:
    """Whether the name is the very address that the connection was made to: nobody can redirect that."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(server)
    except ValueError:
        return False


def _is_embedding(headers: Headers) -> bool:
    """Whether a page of another site, or of another port, loads this for itself; a link to here is allowed."""
    foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return foreign and headers.get("sec-fetch-mode") != "navigate"


def _guarded(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            found = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                found.setdefault(name, value)
            found.setdefault("Cache-Control", "no-store")
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await send(message)
        except TimeoutError as error:
            raise SlowClientError from error

    return guarded
