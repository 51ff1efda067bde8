"""HTTP range requests, as an audio player sends them to seek (RFC 9110, section 14)."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse

# A client gets a deadline for each.
_BLOCK = 65_536


def ranged(body: bytes, media_type: str, asked: str | None) -> Response:
    """The bytes that a Range header asks for; all of them where there is none, or one that is not understood."""
    size = len(body)
    headers = {"Accept-Ranges": "bytes"}
    span = (0, size - 1) if asked is None else _span(asked, size)
    if span is None:
        return Response(
            status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{size}"}
        )
    first, last = span
    headers["Content-Length"] = str(last - first + 1)
    status = HTTPStatus.OK
    if asked is not None and (first, last) != (0, size - 1):
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return StreamingResponse(_blocks(body[first : last + 1]), status, headers, media_type)


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte; None where the range lies behind the end. Several ranges are not understood."""
    unit, _, text = asked.partition("=")
    first, dash, last = (part.strip() for part in text.partition("-"))
    everything = (0, size - 1)
    if unit.strip() != "bytes" or not dash or not all(each.isdecimal() or not each for each in (first, last)):
        return everything
    if len(first) > len(str(size)) + 1 or len(last) > 20:  # noqa: PLR2004 - digits of 64 bits
        return None
    if not first:
        return None if not last or not int(last) else (max(0, size - int(last)), size - 1)
    if last and int(last) < int(first):
        return everything
    return None if int(first) >= size else (int(first), min(int(last) if last else size - 1, size - 1))


async def _blocks(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), _BLOCK):
        yield body[at : at + _BLOCK]
