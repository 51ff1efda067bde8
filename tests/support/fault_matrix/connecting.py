"""Faults before a WebSocket is open."""

import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

from fault_matrix.row import Row, Stage
from probe.reference.faults import (
    SSH_BANNER,
    Drop,
    Http,
    LlmScript,
    Raw,
    Repeat,
    Reset,
    ScriptedLlm,
    ScriptedTts,
    Stall,
    TtsScript,
    Wait,
    refusing_port,
)

REDIRECT = Raw(b"HTTP/1.1 302 Found\r\nLocation: /ws\r\nContent-Length: 0\r\n\r\n")
TWO_PLACES = Raw(b"HTTP/1.1 302 Found\r\nLocation: /ws\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
WRONG_KEY = Raw(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
)


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"ws://127.0.0.1:{port}/ws"


@asynccontextmanager
async def black_hole(_stage: Stage) -> AsyncIterator[str]:
    """A listener that never accepts, and whose queue is full: the kernel drops what else asks to connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"


@asynccontextmanager
async def unknown_host(_stage: Stage) -> AsyncIterator[str]:
    yield "ws://no-such-host.invalid/ws"


@asynccontextmanager
async def hanging_lookup(_stage: Stage) -> AsyncIterator[str]:
    """A name server that does not answer."""
    real, over = socket.getaddrinfo, threading.Event()

    def look_up(host: str | bytes, *arguments: Any, **more: Any) -> Any:
        if host == "hangs.invalid" and not more.get("flags"):
            over.wait()
        return real(host, *arguments, **more)

    with patch("socket.getaddrinfo", look_up):
        yield "ws://hangs.invalid/ws"
    over.set()


@asynccontextmanager
async def no_route(_stage: Stage) -> AsyncIterator[str]:
    """The kernel opens no TCP connection to the broadcast address."""
    yield "ws://255.255.255.255:8002/ws"


@cache
def certificate() -> ssl.SSLContext:
    """A certificate of an authority that nobody knows."""
    trustme: Any = import_module("trustme")  # takes long, and most who read the table need none
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def unknown_authority(_stage: Stage) -> AsyncIterator[str]:
    async with ScriptedLlm(tls=certificate()) as server:
        yield server.url


@asynccontextmanager
async def tls_asked_plainly(_stage: Stage) -> AsyncIterator[str]:
    async with ScriptedTts(tls=certificate()) as server:
        yield server.url.replace("wss:", "ws:")


@asynccontextmanager
async def plain_asked_for_tls(stage: Stage) -> AsyncIterator[str]:
    yield stage.llm.url.replace("ws:", "wss:")


@asynccontextmanager
async def elsewhere(stage: Stage) -> AsyncIterator[str]:
    """A server whose only word is where the real one is."""
    where = stage.llm.url.replace("127.0.0.1", "localhost")
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
    async with ScriptedLlm(_on_handshake(Raw(answer.encode()), Drop())) as server:
        yield server.url


@asynccontextmanager
async def wrong_path(stage: Stage) -> AsyncIterator[str]:
    yield stage.llm.url.replace("/ws", "/")


def _row(name: str, injected: str, reason: str, say: str = "", **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "LLM", "stage": "connect", "reached": "nothing", "longest_s": 1.5}
    return Row(name=name, injected=injected, reason=reason, say=say, **(values | parts))


def _on_accept(*steps: Any) -> LlmScript:
    return LlmScript(on_accept=steps)


def _on_handshake(*steps: Any) -> LlmScript:
    return LlmScript(on_handshake=steps)


def _http(status: int, reason: str, say: str = "", words: str = "scripted", **parts: Any) -> Row:
    name = "-".join((f"http-{status}", *(words.lower().split() if words != "scripted" else ())))
    injected = f"HTTP {status} instead of an upgrade" + ("" if words == "scripted" else f', "{words}"')
    script = _on_handshake(Http(status, {"detail": words}))
    return _row(name, injected, reason, say or f"HTTP {status}", said=words, llm=script, **parts)


SKIPPED = {"outcome": "skipped", "stage": ""}


ROWS = (
    _row("refused", "nothing listens", "refused", "is the server running?", llm_url=refusing),
    _row("refused-tts", "nothing listens", "refused", "is the server running?", where="TTS", tts_url=refusing),
    _row("black-hole", "packets are swallowed", "timeout", "within 0.5 s", llm_url=black_hole),
    _row("black-hole-tts", "packets are swallowed", "timeout", "within 0.5 s", where="TTS", tts_url=black_hole),
    _row("name-not-found", "the host name is unknown", "dns", "host name not found", llm_url=unknown_host),
    _row("lookup-hangs", "the name server does not answer", "timeout", "within 0.5 s", llm_url=hanging_lookup),
    _row("no-route", "there is no way to that address", "unreachable", "unreachable", llm_url=no_route),
    _row("accept-and-drop", "closed before the request is read", "closed", llm=_on_accept(Drop())),
    _row("drop-in-handshake", "closed instead of a handshake", "closed", llm=_on_handshake(Drop())),
    _row("reset-in-handshake", "reset (RST) instead of a handshake", "closed", llm=_on_handshake(Reset())),
    _row("no-handshake", "accepts, and never answers", "timeout", "within 0.5 s", llm=_on_accept(Stall())),
    _row(
        "no-handshake-tts", "accepts, and never answers", "timeout", "within 0.5 s",
        where="TTS", tts=TtsScript(on_accept=(Stall(),)),
    ),
    _row("late-handshake", "the handshake comes after the deadline", "timeout", llm=_on_handshake(Wait(5.0))),
    _row(
        "slow-handshake", "a handshake takes 200 ms", "",
        llm=_on_handshake(Wait(0.2)), outcome="ok", stage="", reached="second segment",
    ),
    _row(
        "half-handshake", "half of the handshake, then nothing", "timeout",
        llm=_on_handshake(Raw(b"HTTP/1.1 101 Switching"), Stall()),
    ),
    _http(200, "not_websocket", "check the path"),
    _http(400, "not_websocket", "check the path"),
    _http(401, "unauthorized", "no credentials were sent"),
    _row(
        "http-401-tts", "HTTP 401 to the wrong credentials", "unauthorized", "does not accept the credentials",
        said="wrong key", where="TTS", tts=TtsScript(on_handshake=(Http(401, {"error": {"message": "wrong key"}}),)),
        target='tts = { headers = { authorization = "Bearer wrong" } }',
    ),
    _http(403, "unauthorized"),
    _http(404, "not_found", "check the path"),
    _http(426, "not_websocket", "check the path"),
    _http(429, "", **SKIPPED),
    _http(500, "server_error"),
    _http(501, "server_error"),
    _http(502, "unavailable"),
    _http(503, "unavailable"),
    _http(503, "loading", words="Loading model"),
    _http(503, "", words="too many connections", **SKIPPED),
    _http(504, "unavailable"),
    _row("wrong-path", "the URL's path is not the WebSocket's", "not_found", "check the path", llm_url=wrong_path),
    _row(
        "redirects", "a redirect to itself", "not_found", "it redirects",
        said="it redirects to /ws", llm=_on_handshake(REDIRECT, Drop()),
    ),
    _row(
        "redirects-elsewhere", "a redirect to a working server", "not_found", "it redirects",
        said="it redirects to ws://localhost:", llm_url=elsewhere,
    ),
    _row(
        "redirects-twice", "an answer that redirects to two places", "not_found", "HTTP 302",
        said="it redirects to /ws", llm=_on_handshake(TWO_PLACES, Drop()),
    ),
    _row("another-protocol", "an SSH server answers", "not_websocket", llm=_on_accept(SSH_BANNER, Stall())),
    _row("wrong-accept-key", "a handshake that does not fit ours", "not_websocket", llm=_on_handshake(WRONG_KEY)),
    _row(
        "endless-header", "a header line that never ends", "not_websocket",
        llm=_on_handshake(Raw(b"HTTP/1.1 101 "), Repeat((Raw(b"x" * 4096), Wait(0.001)))),
    ),
    _row(
        "plain-asked-for-tls", "a wss:// URL, and a server without TLS that waits for more", "timeout", "it is ws://",
        llm_url=plain_asked_for_tls,
    ),
    _row(
        "plain-answers-tls", "a wss:// URL, and a server without TLS that says so", "tls", "it is ws://",
        llm_url=plain_asked_for_tls, llm=_on_accept(Wait(0.05), Http(400)),
    ),
    _row("unknown-authority", "a certificate that nobody vouches for", "tls", "certificate", llm_url=unknown_authority),
    _row(
        "tls-asked-plainly", "a ws:// URL, and a server with TLS", "closed", "it is wss://",
        where="TTS", tts_url=tls_asked_plainly,
    ),
    _row(
        "tls-alert", "a ws:// URL, and a server with TLS that says so", "closed", "it is wss://",
        llm=_on_accept(Wait(0.05), Raw(b"\x15\x03\x01\x00\x02\x02\x46"), Drop()),
    ),
)  # fmt: skip
