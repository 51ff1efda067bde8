"""A plain HTTP GET with a deadline, outside of every measure: what does a server say of itself?"""

import asyncio
import http.client
from functools import partial
from urllib.parse import urlsplit

from probe.transport.http_exchange import exchange
from probe.transport.threads import in_own_thread

MAX_BYTES = 2**20


async def get(url: str, timeout_s: float) -> bytes | None:
    """Return the body of a successful answer, None for any other end within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await in_own_thread(partial(_get, url, timeout_s))
    except TimeoutError:
        return None


def _get(url: str, timeout_s: float) -> bytes | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        answer, body = exchange(connection, ("GET", parts.path, None, {}), timeout_s, MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return None
    return body if answer.status == http.HTTPStatus.OK else None
