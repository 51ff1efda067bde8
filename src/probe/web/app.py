"""The application: pages, static files and what surrounds them, combined."""

import time
from collections.abc import Collection
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from probe.web.answers import Answers
from probe.web.guard import Guard
from probe.web.page import Page
from probe.web.pages import PAGES
from probe.web.settings import Settings
from probe.web.static import static_file
from probe.web.threads import Threads


def application(settings: Settings, hosts: Collection[str]) -> ASGIApp:
    """An ASGI application. `hosts` are the names that a request may call it by."""
    answers = Answers(settings, PAGES, Threads(), time.time_ns)
    pages = [Route(each.path, partial(_page, answers, each)) for each in PAGES]
    app = Starlette(
        routes=[*pages, Route("/static/{name}", static_file)],
        exception_handlers={404: answers.not_found},
    )
    return Guard(app, hosts)


async def _page(answers: Answers, page: Page, request: Request) -> Response:
    return await answers.page(page, request)
