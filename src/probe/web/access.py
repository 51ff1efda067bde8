"""Who may look: whoever has the address that was printed at the start, whoever knows a password, or everybody."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from probe.web.passwords import Attempts, Checker, Verdict

# A page of one sentence.
Message = Callable[[HTTPStatus, str], Response]
TOKEN = "token"  # noqa: S105 - the parameter's name
# The stylesheet of a page that refuses, and nothing that was measured.
_OPEN = "/static/"
_REFUSED = "Open the address that `probe web` printed when it started: it holds a key that this one lacks."
_ASKED = {"WWW-Authenticate": 'Basic realm="voice-probe", charset="UTF-8"'}
_WORDS: Mapping[Verdict, tuple[HTTPStatus, str]] = {
    "wrong": (HTTPStatus.UNAUTHORIZED, "This needs the password; any user name will do."),
    "too many": (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords; try again in a minute."),
    "busy": (HTTPStatus.SERVICE_UNAVAILABLE, "Too many passwords are being checked; try again."),
}


class Access(Protocol):
    """Decides over each request: None lets it pass."""

    async def refusal(self, request: Request, message: Message) -> Response | None: ...


class Everybody:
    """For figures without words, on this machine alone: they are no more than what /metrics shows to anybody here."""

    async def refusal(self, request: Request, message: Message) -> Response | None: ...


class Token:
    """A key in the address that becomes a cookie: other users of this machine can connect, but don't have it."""

    def __init__(self, port: int, *, is_secure: bool) -> None:
        self.value = secrets.token_urlsafe(24)
        self._is_secure = is_secure
        # Cookies know no ports: two of these servers must not overwrite each other's.
        self._cookie = f"voice_probe_{port}"

    async def refusal(self, request: Request, message: Message) -> Response | None:
        if self._is_ours(request.query_params.get(TOKEN)):
            return self._remembered(request)
        if self._is_ours(request.cookies.get(self._cookie)):
            return None
        return message(HTTPStatus.FORBIDDEN, _REFUSED)

    def _is_ours(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self.value.encode())

    def _remembered(self, request: Request) -> Response:
        """To the same place without the key, which would stay in the browser's history."""
        others = [(name, value) for name, value in request.query_params.multi_items() if name != TOKEN]
        # With one slash: two would be another server.
        path = "/" + quote(request.scope["path"].lstrip("/"))
        response = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, HTTPStatus.SEE_OTHER)
        response.set_cookie(
            self._cookie, self.value, path="/", secure=self._is_secure, httponly=True, samesite="strict"
        )
        return response


class Password:
    """Basic authentication: a browser sends it to this port alone, unlike a cookie."""

    def __init__(self, hashed: bytes, now: Callable[[], float]) -> None:
        """`now` returns seconds of a clock that never goes back."""
        self._checker = Checker(hashed, Attempts(now))

    async def refusal(self, request: Request, message: Message) -> Response | None:
        client = request.client.host if request.client is not None else ""
        given = request.headers.get("authorization")
        verdict: Verdict = "wrong" if given is None else await self._checker.check(given, client)
        if verdict == "right":
            return None
        response = message(*_WORDS[verdict])
        if verdict == "wrong":
            response.headers.update(_ASKED)
        else:
            response.headers["Retry-After"] = "60"
        return response


class Admission:
    """Lets a request reach the pages, or answers it."""

    def __init__(self, app: ASGIApp, access: Access, message: Message) -> None:
        self._app = app
        self._access = access
        self._message = message

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] == "http" and not scope["path"].startswith(_OPEN):
            refusal = await self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Awaitable[Response | None]:
        return self._access.refusal(request, self._message)
