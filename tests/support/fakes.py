"""Scripted peers on virtual time: what a server would do, without a network.

A peer is a function that gets a request (parsed JSON) and yields steps: a float waits that many seconds, a dict or
bytes is sent to the probe, `DROP` ends the connection, `GONE` does so and the probe has not read it yet.
"""

import asyncio
import json
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from probe.clock import Clock
from probe.transport.ask import Answer
from probe.transport.connection import ConnectError, Deliver, Endpoint, SendError
from probe.transport.framing.base import Binary, Ended, Incoming, Outgoing, Request, Text
from probe.transport.stamps import Stamps

DROP, GONE = object(), object()
Server = Literal["llm", "tts"]
Step = Any
Peer = Callable[[dict[str, Any]], Iterable[Step]]


@dataclass
class FakeLink:
    network: "FakeNetwork"
    server: Server
    deliver: Deliver
    peer: Peer
    open: bool = True
    stamps: Stamps = field(default_factory=Stamps)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def send(self, frame: Outgoing, timeout_s: float) -> int:  # noqa: ARG002 - the link's interface
        assert isinstance(frame, Text)
        if not self.open:
            raise SendError("closed", "connection closed: without a close frame")
        message = json.loads(frame.data)
        at = self.network.clock.now()
        self.network.requests.append((self.server, at, message))
        # The TTS server speaks one text after the other; the LLM server is asked one thing at a time.
        before = self.tasks[-1:] if self.server == "tts" and message["type"] != "cancel" else []
        self.tasks.append(asyncio.ensure_future(self._play(self.peer(message), before)))
        return at

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.open = False
        for task in self.tasks:
            task.cancel()
        self.network.closed.append(self.server)

    async def _play(self, steps: Iterable[Step], before: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*before)
        for step in steps:
            if isinstance(step, int | float):
                await asyncio.sleep(step)
            elif not self.open:
                return
            elif step is GONE:
                self.open = False
            elif step is DROP:
                self.open = False
                self._deliver(Ended("closed", "without a close frame"))
            elif isinstance(step, bytes):
                self._deliver(Binary(step))
            else:
                self._deliver(Text(step.encode() if isinstance(step, str) else json.dumps(step).encode()))

    def _deliver(self, frame: Incoming) -> None:
        self.deliver(self.network.clock.now(), frame)


class FakeNetwork:
    """Both servers. Pass it to the engine as its connector."""

    def __init__(self, llm: Callable[[], Peer] | None, tts: Callable[[], Peer] | None) -> None:
        self.peers: Mapping[str, Callable[[], Peer] | None] = {"llm": llm, "tts": tts}
        self.requests: list[tuple[Server, int, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.closed: list[Server] = []
        self.links: list[FakeLink] = []
        self.fetched: list[str] = []
        self.config: bytes | None = None
        # How long a question beside the run takes.
        self.answers_after_s = 0.0

    def __call__(self, clock: Clock) -> "FakeNetwork":
        self.clock = clock
        return self

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> FakeLink:  # noqa: ARG002
        url = endpoint.url
        server: Server = "tts" if "8001" in url else "llm"
        make = self.peers[server]
        await asyncio.sleep(0.005)
        if make is None:
            raise ConnectError("refused", f"{url}: connection refused; is the server running?")
        self.headers.append(endpoint.headers)
        link = FakeLink(self, server, deliver, make())
        self.links.append(link)
        return link

    async def ask(self, endpoint: Endpoint, request: Request, timeout_s: float) -> Answer | None:  # noqa: ARG002
        self.fetched.append(endpoint.url)
        await asyncio.sleep(self.answers_after_s)
        return None if self.config is None else Answer(200, {}, self.config)

    def sent_to(self, server: Server) -> list[dict[str, Any]]:
        """The requests that a server got."""
        return [m for s, _, m in self.requests if s == server]

    def sent(self, server: Server, kind: str) -> list[dict[str, Any]]:
        """The requests of one kind that a server got."""
        return [m for s, _, m in self.requests if s == server and kind in (m.get("action"), m.get("type"))]


def say(
    text: str, *, done: bool = False, reason: str | None = None, ttft: float = 0.1, token: float = 0.01
) -> list[Step]:
    """A chunk of the LLM: its words as tokens, then its end."""
    words = [f"{word} " for word in text.split(" ")] if text else []
    if words:
        words[-1] = words[-1][:-1]
    steps: list[Step] = []
    for i, word in enumerate(words):
        steps += [ttft if i == 0 else token, {"type": "token", "content": word}]
    end = {
        "type": "done" if done else "paused",
        "reason": reason or ("eos" if done else "max_tokens"),
        "text": text,
        "tokens": len(words),
        "ttft_ms": ttft * 1000,
        "elapsed_ms": 0,
    }
    return [*steps, 0.0 if words else 0.02, end]


def llm(*chunks: list[Step]) -> Callable[[], Peer]:
    """An LLM server that answers start and continue with one scripted chunk after the other."""
    left = list(chunks)

    def peer(request: dict[str, Any]) -> Iterable[Step]:
        if request["action"] in ("start_stream", "continue_stream"):
            return left.pop(0)
        return [0.001, {"stream_id": request["stream_id"], "status": "ended"}]

    return lambda: peer


@cache
def tone(ms: float, rate: int = 22000, level: int = 6000) -> bytes:
    """A square wave of about 220 Hz in syllables of a quarter of a second: audible at once, and no noise."""
    # Odd, so that it does not step at even samples alone, as two channels would.
    period, syllable = rate // 220 // 2 * 2 + 1, rate // 4
    count = round(ms * rate / 1000)
    levels = {loud: [-loud] * (period // 2) + [loud] * (period // 2 + 1) for loud in (level, level // 3)}
    loudness = [level] * (syllable * 4 // 5) + [level // 3] * (syllable - syllable * 4 // 5)
    one = array("h", (levels[loudness[i]][i % period] for i in range(syllable)))
    return (one.tobytes() * (count // syllable + 1))[: 2 * count]


def frames(pcm: bytes, size: int = 4096) -> list[bytes]:
    return [pcm[i : i + size] for i in range(0, len(pcm), size)]


def newer_tts(*segments: list[Step], created: float = 0.002) -> Callable[[], Peer]:
    """A newer server: a scripted segment for each text, with its marker."""
    left = list(segments)

    def peer(request: dict[str, Any]) -> Iterable[Step]:
        match request["type"]:
            case "init":
                return [created, {"type": "stream_created", "stream_id": "s"}]
            case "text":
                segment = left.pop(0)
                return [*segment, {"type": "segment_complete", "segment": 1, "audio_ms": 0}] if segment else []
            case "close":
                return [0.01, {"type": "done", "total_audio_ms": 0, "segments_generated": 0}]
        return []

    return lambda: peer


def older_tts(*segments: list[Step], done_after: float = 0.01, drops: bool = True) -> Callable[[], Peer]:
    """An older server: a scripted burst for each text (empty: held back), nothing marks its end."""
    left = list(segments)

    def make() -> Peer:
        served = False
        generated = 0

        def peer(request: dict[str, Any]) -> Iterable[Step]:
            nonlocal served, generated
            match request["type"]:
                case "init" if not served:
                    served = True
                    return [0.002, {"type": "stream_created", "stream_id": "s"}]
                case "text":
                    generated += bool(left[0])
                    return left.pop(0)
                case "close":
                    done = {"type": "done", "total_audio_ms": 0, "segments_generated": generated}
                    return [done_after, done, *([0.01, DROP] if drops else [])]
            return []

        return peer

    return make


class JoiningTts:
    """An older server as it is: joins texts that wait, speaks what is worth it, one segment after the other.

    `spoken` are the texts of its segments: the truth about whose audio is whose.
    """

    MS_PER_WORD = 350.0

    def __init__(self, *, ttfb: float, target_ms: float) -> None:
        self.spoken: list[str] = []
        self._ttfb = ttfb
        self._target_ms = target_ms
        self._buffer: list[str] = []

    def __call__(self) -> Peer:
        return self._answer

    def _answer(self, request: dict[str, Any]) -> Iterable[Step]:
        match request["type"]:
            case "init":
                return [0.002, {"type": "stream_created", "stream_id": "s"}]
            case "text":
                self._buffer.append(request["text"])
                return self._flush(self._target_ms)
            case "close":
                return self._end()
        return []

    def _flush(self, least_ms: float) -> Iterable[Step]:
        text = "".join(self._buffer)
        if len(text.split()) * 400 >= max(least_ms, 1):
            self._buffer.clear()
            self.spoken.append(text)
            yield self._ttfb
            yield from frames(tone(self.MS_PER_WORD * len(text.split())))

    def _end(self) -> Iterable[Step]:
        yield from self._flush(0)
        yield {"type": "done", "total_audio_ms": 0, "segments_generated": len(self.spoken)}
        yield from (0.01, DROP)
