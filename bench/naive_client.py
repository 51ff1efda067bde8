"""A client as one would write it in an afternoon: `recv()` in a loop, `time.time()`, 150 ms of silence end a segment.

What the other benches compare the probe with. The monotonic times beside it are the bench's, to measure its error.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect

GAP_S = 0.15
PROMPT = "Tell me a joke about a unicorn."
SYSTEM_PROMPT = "You are a helpful voice assistant. What you say is spoken aloud, so be brief."


@dataclass
class NaiveChunk:
    """Its figures in milliseconds; `asked` and `sent` are monotonic nanoseconds."""

    asked: int
    sent: int = 0
    figures: dict[str, float] = field(default_factory=dict)


async def converse(llm_url: str, tts_url: str, trace_id: str) -> list[NaiveChunk]:
    """One response, chunk after chunk."""
    headers = {"traceparent": f"00-{trace_id}-{trace_id[:16]}-01"}
    async with (
        connect(llm_url, additional_headers=headers) as llm,
        connect(tts_url, additional_headers=headers) as tts,
    ):
        await tts.send(json.dumps({"type": "init", "voice": "aria", "language": "en"}))
        await tts.recv()
        stream = {"stream_id": f"naive-{trace_id}", "stream_tokens": True}
        messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": PROMPT}]
        first = {"action": "start_stream", "messages": messages, "pause": {"max_tokens": 10}, "temperature": 0}
        request = stream | first
        chunks: list[NaiveChunk] = []
        final = False
        while not final:
            chunk, text, final = await _ask(llm, request)
            if text.strip():
                await _speak(tts, chunk, text)
            chunks.append(chunk)
            request = stream | {"action": "continue_stream", "pause": {"sentence_boundary": True}}
        await llm.send(json.dumps({"action": "end_stream", "stream_id": stream["stream_id"]}))
        await tts.send(json.dumps({"type": "close"}))
        return chunks


async def _ask(llm: ClientConnection, request: dict[str, object]) -> tuple[NaiveChunk, str, bool]:
    chunk = NaiveChunk(time.monotonic_ns())
    began = time.time()
    await llm.send(json.dumps(request))
    while True:
        message = json.loads(await llm.recv())
        at = (time.time() - began) * 1000
        if message["type"] == "token":
            chunk.figures.setdefault("llm_ttft_ms", at)
        else:
            chunk.figures["llm_gen_time_ms"] = at
            return chunk, message["text"], message["type"] == "done"


async def _speak(tts: ClientConnection, chunk: NaiveChunk, text: str) -> None:
    chunk.sent = time.monotonic_ns()
    began = time.time()
    await tts.send(json.dumps({"type": "text", "text": text}))
    combined = (chunk.sent - chunk.asked) / 1e6
    timeout = 10.0
    while True:
        try:
            message = await asyncio.wait_for(tts.recv(), timeout)
        except TimeoutError:
            chunk.figures["tts_gen_time_ms"] = (time.time() - began) * 1000
            return
        if isinstance(message, bytes):
            at = (time.time() - began) * 1000
            chunk.figures.setdefault("tts_ttfb_ms", at)
            chunk.figures.setdefault("combined_ttfb_ms", combined + at)
            chunk.figures["tts_stream_time_ms"] = at
            timeout = GAP_S
