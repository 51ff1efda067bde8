"""A plain HTTP GET with a deadline, outside of every measure: what does a server say of itself?"""

import asyncio
import http.client
from urllib.parse import urlsplit

MAX_BYTES = 2**20


async def get(url: str, timeout_s: float) -> bytes | None:
    """Return the body of a successful answer, None for any other end within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.to_thread(_get, url, timeout_s)
    except TimeoutError:
        return None


def _get(url: str, timeout_s: float) -> bytes | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == http.HTTPStatus.OK else None
