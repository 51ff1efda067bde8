"""From a request to a page or a file: the history is opened, read and closed for each, in a thread."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from probe.history.file import HistoryError, NoHistoryError, UnknownRunError, UnreadableRunError
from probe.history.reader import reading
from probe.report.html.environment import environment
from probe.web.page import Asked, BadQueryError, File, MissingError, Page
from probe.web.ranges import ranged
from probe.web.settings import Settings
from probe.web.threads import Busy, Threads

# Longer than another process may hold the history's lock.
DEADLINE_S = 8.0
TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_VALUE = 300


@cache
def templates() -> Environment:
    """The pages' templates, and those of the report."""
    return environment(TEMPLATES)


class Answers:
    """Renders pages and files. `now` returns nanoseconds since the epoch."""

    def __init__(self, settings: Settings, pages: Sequence[Page], threads: Threads, now: Callable[[], int]) -> None:
        self._settings = settings
        self._threads = threads
        self._now = now
        self._navigation = [each for each in pages if each.in_navigation]

    async def page(self, page: Page, request: Request) -> Response:
        def made(asked: Asked) -> Response:
            newest = asked.reader.newest()
            return HTMLResponse(self._rendered(page.template, page.name, newest, page.context(asked)))

        return await self._answer(page.name, made, request)

    async def file(self, file: File, request: Request) -> Response:
        def made(asked: Asked) -> Response:
            found = file.content(asked)
            response = ranged(found.body, found.media_type, request.headers.get("range"))
            if found.filename is not None:
                response.headers["Content-Disposition"] = f'attachment; filename="{found.filename}"'
            return response

        return await self._answer("", made, request)

    def message(self, status: HTTPStatus, message: str, title: str = "") -> Response:
        """A page of one sentence."""
        text = self._rendered("message.html", title, 0, {"title": title or status.phrase, "message": message})
        return HTMLResponse(text, status)

    async def _answer(self, name: str, make: Callable[[Asked], Response], request: Request) -> Response:
        query = dict(request.query_params)
        if any(len(value) > _LONGEST_VALUE for value in (*query.values(), *request.path_params.values())):
            return self.message(HTTPStatus.BAD_REQUEST, "A part of this address is too long.")
        try:
            work = partial(self._read, name, make, query, dict(request.path_params))
            return await self._threads.run(work, DEADLINE_S)
        except Busy:
            return self.message(HTTPStatus.SERVICE_UNAVAILABLE, "Reading the history takes too long; try again.")
        except Exception as error:  # noqa: BLE001 - one page that can't be made must not end the others
            _complain(request.url.path, error)
            return self.message(HTTPStatus.INTERNAL_SERVER_ERROR, "This page can't be made; the log names the place.")

    def _read(
        self, name: str, make: Callable[[Asked], Response], query: Mapping[str, str], path: Mapping[str, str]
    ) -> Response:
        try:
            with reading(self._settings.state_dir) as reader:
                return make(Asked(reader, query, path, self._settings, self._now()))
        except NoHistoryError:
            return self.message(HTTPStatus.OK, "There is no history yet: `probe daemon` writes one.", name)
        except UnknownRunError:
            return self.message(HTTPStatus.NOT_FOUND, "There is no such run (any more).")
        except UnreadableRunError:
            # Its text may quote what was said.
            return self.message(HTTPStatus.INTERNAL_SERVER_ERROR, "The data of this run are damaged.")
        except MissingError as error:
            return self.message(HTTPStatus.NOT_FOUND, str(error))
        except BadQueryError as error:
            return self.message(HTTPStatus.BAD_REQUEST, str(error))
        except HistoryError as error:
            return self.message(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    def _rendered(self, template: str, name: str, newest: int, context: Mapping[str, Any]) -> str:
        usual = {"title": name, "current": name, "newest": newest, "live": "", "navigation": self._navigation}
        return templates().get_template(template).render({**usual, **context})


def _complain(path: str, error: Exception) -> None:
    """One line of the log: the type and the place, since the text of an error may quote what was said."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else "?"
    sys.stderr.write(f"probe web: {path!r}: {type(error).__name__} at {place}\n")
    sys.stderr.flush()
