"""The application: pages, static files and what surrounds them, combined."""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from probe.web.access import Access, Admission
from probe.web.answers import Answers
from probe.web.events import Events
from probe.web.guard import Guard
from probe.web.newest import newest
from probe.web.pages import FILES, PAGES
from probe.web.settings import Settings
from probe.web.static import static_file
from probe.web.threads import Threads

_Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Site:
    """An ASGI application, and the function that ends its open event streams."""

    app: ASGIApp
    stop: Callable[[], None]


def site(settings: Settings, hosts: Collection[str], access: Access) -> Site:
    """Everything that is served. `hosts` are the names that a request may call it by."""
    events = Events(partial(newest, settings.state_dir))
    answers = Answers(settings, PAGES, Threads(), time.time_ns)

    async def missing(_request: Request, _error: Exception) -> Response:
        return answers.message(HTTPStatus.NOT_FOUND, "There is no such page.")

    files = [Route(each.path, _endpoint(partial(answers.file, each))) for each in FILES]
    pages = [Route(each.path, _endpoint(partial(answers.page, each))) for each in PAGES]
    app = Starlette(
        routes=[*files, *pages, Route("/events", events.answer), Route("/static/{name:path}", static_file)],
        exception_handlers={HTTPStatus.NOT_FOUND: missing},
    )
    # Otherwise an address with an extra slash is redirected.
    app.router.redirect_slashes = False
    return Site(Guard(Admission(app, access, answers.message), hosts), events.stop)


def _endpoint(answer: _Answer) -> _Answer:
    """A function, as Starlette distinguishes endpoints from applications."""

    async def endpoint(request: Request) -> Response:
        return await answer(request)

    return endpoint
