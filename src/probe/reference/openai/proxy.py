"""What llama.cpp answers, passed on: each byte as soon as it comes, and no longer than somebody wants it."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from probe.reference.openai.errors import break_off, refusal

CONNECT_S = 5
# What is said of one of the two connections, and not of what is sent on it.
OF_A_CONNECTION = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
OF_OUR_REQUEST = OF_A_CONNECTION | {"content-length", "expect", "host"}
ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Llama:
    """llama.cpp's HTTP server at `url`."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def hand_on(self, request: web.Request) -> web.StreamResponse:
        """Answer as llama.cpp does; where it breaks off, so do we.

        Cancelling this, as aiohttp does when the client leaves, closes the connection to llama.cpp: its slot is free.
        """
        asked = self._session.request(
            request.method,
            URL(self._url + request.raw_path, encoded=True),
            headers=_without(OF_OUR_REQUEST, request.headers),
            data=await request.read() or None,
        )
        try:
            async with asked as answer:
                return await _copy(answer, request)
        except ClientError as error:
            return refusal(web.HTTPBadGateway.status_code, f"llama.cpp does not answer: {error}")


@asynccontextmanager
async def llama_at(url: str) -> AsyncIterator[Llama]:
    """Yield llama.cpp at `url`. Each request has its own connection: llama.cpp closes idle ones."""
    async with ClientSession(
        connector=TCPConnector(force_close=True, limit=0),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_S),
        auto_decompress=False,
        skip_auto_headers=ADDED_BY_AIOHTTP,
    ) as session:
        yield Llama(url, session)


async def _copy(answer: ClientResponse, request: web.Request) -> web.StreamResponse:
    headers = _without(OF_A_CONNECTION, answer.headers)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    try:
        async for data in answer.content.iter_any():
            await response.write(data)
    except (ClientError, ConnectionError):
        break_off(request)
    return response


def _without(names: Collection[str], headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in names)
