"""From a request to a page: the history is opened, read and closed for each, in a thread."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from probe.history.file import HistoryError, NoHistoryError, UnknownRunError
from probe.history.reader import reading
from probe.report.html.environment import environment
from probe.web.page import Asked, BadQueryError, Page
from probe.web.settings import Settings
from probe.web.threads import Busy, Threads

# Longer than another process may hold the history's lock.
DEADLINE_S = 8.0
TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_VALUE = 300


class Answers:
    """Makes pages. `now` returns nanoseconds since the epoch."""

    def __init__(self, settings: Settings, pages: Sequence[Page], threads: Threads, now: Callable[[], int]) -> None:
        self._settings = settings
        self._threads = threads
        self._now = now
        self._templates = environment(TEMPLATES)
        self._templates.globals["navigation"] = [each for each in pages if each.in_navigation]

    async def page(self, page: Page, request: Request) -> Response:
        query = dict(request.query_params)
        if any(len(value) > _LONGEST_VALUE for value in query.values()):
            return self._message(HTTPStatus.BAD_REQUEST, "A parameter of this address is too long.")
        make = partial(self._made, page, query, dict(request.path_params))
        try:
            return await self._threads.run(make, DEADLINE_S)
        except Busy:
            return self._message(HTTPStatus.SERVICE_UNAVAILABLE, "Reading the history takes too long; try again.")
        except Exception as error:  # noqa: BLE001 - one page that can't be made must not end the others
            # Its text may quote what was said: the type and the place are enough to find it.
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else "?"
            print(f"probe web: page {page.name}: {type(error).__name__} at {place}", file=sys.stderr, flush=True)  # noqa: T201 - its log
            return self._message(HTTPStatus.INTERNAL_SERVER_ERROR, "This page can't be made; the log names the reason.")

    def _made(self, page: Page, query: Mapping[str, str], path: Mapping[str, str]) -> Response:
        try:
            with reading(self._settings.state_dir) as reader:
                newest = reader.newest()
                context = page.context(Asked(reader, query, path, self._settings, self._now()))
        except NoHistoryError:
            return self._message(HTTPStatus.OK, "There is no history yet. `probe daemon` writes one.", page.name)
        except UnknownRunError:
            return self._message(HTTPStatus.NOT_FOUND, "There is no such run (any more).")
        except BadQueryError as error:
            return self._message(HTTPStatus.BAD_REQUEST, str(error))
        except HistoryError as error:
            return self._message(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return HTMLResponse(self._rendered(page.template, page.name, newest, context))

    def _message(self, status: HTTPStatus, message: str, name: str = "") -> Response:
        text = self._rendered("message.html", name, 0, {"title": name or status.phrase, "message": message})
        return HTMLResponse(text, status)

    def _rendered(self, template: str, name: str, newest: int, context: Mapping[str, Any]) -> str:
        values = {"title": name, "current": name, "newest": newest, "live": "", **context}
        return self._templates.get_template(template).render(values)

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        return self._message(HTTPStatus.NOT_FOUND, "There is no such page.")
