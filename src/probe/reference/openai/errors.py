"""Refusals as OpenAI writes them, and what is left to do where it is too late for one."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """A request that is wrong; `param` is its field that is."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is wrong with a request in OpenAI's words, also where aiohttp is who refuses it."""
    try:
        return await handler(request)
    except RefusedError as error:
        return refusal(web.HTTPBadRequest.status_code, str(error), error.param)
    except web.HTTPError as error:
        return refusal(error.status, f"{error.reason}: {request.method} {request.path}")


def refusal(status: int, message: str, param: str | None = None) -> web.Response:
    kind = "server_error" if status >= web.HTTPInternalServerError.status_code else "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": None}
    return web.Response(status=status, text=json.dumps({"error": error}), content_type="application/json")


def break_off(request: web.Request) -> None:
    """End the connection amid a response: without its last chunk, nobody takes it for a whole one."""
    if request.transport is not None:
        request.transport.close()
