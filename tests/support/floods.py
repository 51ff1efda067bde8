"""Servers that send as much as they can, of every protocol: named ones, and such as chance makes."""

import base64
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from probe.reference.faults import (
    CHAT,
    SPEECH,
    Chunk,
    Head,
    HttpScript,
    LlmScript,
    Raw,
    Repeat,
    ScriptedHttp,
    ScriptedLlm,
    ScriptedTts,
    Stall,
    TtsScript,
    TtsTurn,
    audio,
    chat,
    llm,
    ollama,
    speech,
    wire,
)
from probe.reference.faults.connection import Steps
from probe.reference.faults.wyoming import ScriptedWyoming, WyomingScript, chunk, start

KIB, MIB = 2**10, 2**20
# What one write has, at least: a flood must not be slow because of us.
BLOCK = 2**16
TONE = audio.tone(2000)
EVENTS = Head(200, {"Content-Type": "text/event-stream"} | {"Transfer-Encoding": "chunked"})


@dataclass(frozen=True)
class Flood:
    """What a server of this protocol sends instead of its answer; `LLM` or `TTS` is healthy otherwise."""

    protocol: str
    steps: Steps


def endless(data: bytes) -> Steps:
    """The same bytes again and again."""
    return (Repeat((Raw(data * max(1, BLOCK // len(data))),), 2**14), Stall())


def frames(opcode: int, payload: bytes) -> Steps:
    return endless(wire.frame(opcode, payload))


def chunks(data: bytes) -> Steps:
    """One HTTP chunk of this size after the other."""
    return endless(b"%x\r\n%b\r\n" % (len(data), data))


def nested(size: int, deep: bool) -> str:
    """JSON of so many characters, deep or wide."""
    return "[" * size if deep else "[" + "[]," * (size // 3) + "[]]"


def sse(payload: str) -> bytes:
    return b"data: " + payload.encode() + b"\n\n"


def token(content: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]})


def line(content: str) -> bytes:
    return (
        json.dumps({"model": "m", "message": {"role": "assistant", "content": content}, "done": False}).encode() + b"\n"
    )


def delta(size: int) -> bytes:
    sound = base64.b64encode(TONE[:size].ljust(size, b"\1")).decode()
    return sse(json.dumps({"type": "speech.audio.delta", "audio": sound}))


def behind(kind: str, data: bytes, payload: bytes = b"") -> bytes:
    """A Wyoming event with these bytes as its data."""
    sizes = {"data_length": len(data), "payload_length": len(payload)}
    return json.dumps({"type": kind, **sizes}).encode() + b"\n" + data + payload


def _text(kind: str, **fields: object) -> Steps:
    return frames(wire.TEXT, json.dumps({"type": kind, **fields}, ensure_ascii=False).encode())


def _wav(more: bytes) -> Steps:
    return (speech.head("audio/wav"), Chunk(speech.wav_header(between=more)), *chunks(TONE[: 4 * KIB]))


PCM = speech.head("audio/pcm;rate=24000")
JSON = Head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
FAILED = Head(500, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
SMALL = 60 * KIB
LONG_ERROR = json.dumps({"type": "error", "error": {"message": "é " * (SMALL // 8)}})
THINKING = json.dumps({"message": {"thinking": "x " * (120 * KIB)}}).encode() + b"\n"
CONTEXT = json.dumps({"done": True, "context": [1] * 80_000}).encode() + b"\n"
CHOICES = json.dumps({"choices": [{"delta": {}}] * 3000})
NESTED = nested(SMALL, deep=False)
FLOODS: Mapping[str, Flood] = {
    "tokens of 60 KiB": Flood("chunked", _text("token", content="é" * (SMALL // 2))),
    "tokens of 16 MiB": Flood("chunked", _text("token", content="x" * 16 * MIB)),
    "tokens of one letter": Flood("chunked", _text("token", content="x")),
    "words": Flood("chunked", _text("token", content=" word. And")),
    "chunks as fast as they are asked for": Flood("chunked", llm.chunk(" Hello", " there.")),
    "JSON of 64 KiB, nested": Flood("chunked", frames(wire.TEXT, b'{"type": "x", "y": ' + NESTED.encode() + b"}")),
    "errors that are not fatal": Flood("magpie", _text("error", fatal=False, message="a é" * (SMALL // 4))),
    "audio in frames of 1 MiB": Flood("magpie", frames(wire.BINARY, (TONE * 16)[:MIB])),
    "audio in frames of 2 bytes": Flood("magpie", frames(wire.BINARY, TONE[:2])),
    "ends of segments": Flood("magpie", _text("segment_complete", audio_ms=200)),
    "pings of 125 bytes": Flood("magpie", frames(wire.PING, b"x" * 125)),
    "fragments of one byte": Flood("magpie", (Raw(b"\x02\x01a"), *endless(b"\x00\x01b"))),
    "events of 60 KiB": Flood("openai_chat", (EVENTS, *chunks(sse(token("é" * (SMALL // 6)))))),
    "events of one letter": Flood("openai_chat", (EVENTS, *chunks(sse(token("x"))))),
    "events of nested JSON": Flood("openai_chat", (EVENTS, *chunks(sse(f'{{"choices": {NESTED}}}')))),
    "events of deep JSON": Flood("openai_chat", (EVENTS, *chunks(sse(nested(SMALL, deep=True))))),
    "events of 3,000 choices": Flood("openai_chat", (EVENTS, *chunks(sse(CHOICES)))),
    "empty lines": Flood("openai_chat", (EVENTS, *chunks(b"\n" * SMALL))),
    "a line without an end": Flood("openai_chat", (EVENTS, *chunks(b"x" * SMALL))),
    "HTTP chunks of one byte": Flood("openai_chat", (EVENTS, *chunks(b"x"))),
    "a head without an end": Flood("openai_chat", (Raw(b"HTTP/1.1 200 OK\r\nX: "), *endless(b"x" * SMALL))),
    "100 Continue": Flood("openai_chat", endless(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "a failure's body": Flood("openai_chat", (FAILED, *chunks(b"{" * SMALL))),
    "events of 1.4 MiB of audio": Flood("openai_speech", (EVENTS, *chunks(delta(MIB)))),
    "events of 2 bytes of audio": Flood("openai_speech", (EVENTS, *chunks(delta(2)))),
    "PCM in chunks of 1 MiB": Flood("openai_speech", (PCM, *chunks((TONE * 16)[:MIB]))),
    "PCM in chunks of one byte": Flood("openai_speech", (PCM, *chunks(b"\x10"))),
    "a WAV file's header of 1 MiB": Flood("openai_speech", _wav(b"LIST" + MIB.to_bytes(4, "little") + bytes(MIB))),
    "a WAV file's header of 2,000 parts": Flood("openai_speech", _wav((b"LIST" + bytes(4)) * 2000)),
    "an error of 60 KiB as events": Flood("openai_speech", (EVENTS, *chunks(sse(LONG_ERROR)))),
    "lines of 240 KiB": Flood("ollama", (ollama.HEAD, *chunks(line("é" * (240 * KIB // 6))))),
    "lines of 240 KiB, nested": Flood(
        "ollama", (ollama.HEAD, *chunks(f'{{"message": {nested(240 * KIB, deep=False)}}}\n'.encode()))
    ),
    "lines of one letter": Flood("ollama", (ollama.HEAD, *chunks(line("x")))),
    "lines of 240 KiB of thinking": Flood("ollama", (ollama.HEAD, *chunks(THINKING))),
    "a line of Ollama without an end": Flood("ollama", (ollama.HEAD, *chunks(b" " * SMALL))),
    "empty lines of Ollama": Flood("ollama", (ollama.HEAD, *chunks(b"\n" * SMALL))),
    "a last line with 80,000 numbers": Flood("ollama", (ollama.HEAD, *chunks(CONTEXT))),
    "payloads of 4 MiB": Flood("wyoming", (start(), *endless(chunk((TONE * 64)[: 4 * MIB]).written()))),
    "payloads of 2 bytes": Flood("wyoming", (start(), *endless(chunk(TONE[:2]).written()))),
    "payloads of none": Flood("wyoming", (start(), *endless(b'{"type": "audio-chunk"}\n'))),
    "data of 1 MiB, nested": Flood(
        "wyoming", endless(behind("x", f'{{"y": {nested(MIB - 20, deep=False)}}}'.encode()))
    ),
    "data of 1 MiB, deep": Flood("wyoming", endless(behind("x", f'{{"y": {nested(MIB - 20, deep=True)}}}'.encode()))),
    "data of 1 MiB, text": Flood("wyoming", endless(behind("error", json.dumps({"text": "é " * (MIB // 8)}).encode()))),
    "lines of 64 KiB, nested": Flood("wyoming", endless(f'{{"type": "x", "data": {NESTED}}}\n'.encode())),
    "starts of audio": Flood("wyoming", endless(start().written())),
    "a line of Wyoming without an end": Flood("wyoming", endless(b"x" * SMALL)),
}
LLMS = ("chunked", "openai_chat", "ollama")


def by_chance(chance: random.Random) -> Flood:
    """Something, of some size, without an end."""
    size = int(2 ** chance.uniform(0, 22))
    some = "x" * size
    json_of: tuple[str, ...] = (nested(size, deep=False), nested(size, deep=True), json.dumps("é" * (size // 6)), "{}")
    data = chance.choice(json_of)
    made: Mapping[str, Callable[[], tuple[Steps, ...]]] = {
        "chunked": lambda: (
            _text("token", content=some),
            frames(wire.TEXT, f'{{"type": {data}}}'.encode()),
            frames(wire.PING, b"x" * min(size, 125)),
            frames(wire.TEXT, data.encode()),
        ),
        "magpie": lambda: (
            _text("error", fatal=False, message="é" * size),
            frames(wire.BINARY, (TONE * 64)[: max(2, size)]),
            frames(wire.BINARY, bytes(size)),
            frames(wire.TEXT, data.encode()),
            endless(b"\x02\x01a" + b"\x00\x01b" * min(size, 1000) + b"\x80\x00"),
        ),
        "openai_chat": lambda: (
            (EVENTS, *chunks(sse(token(some)))),
            (EVENTS, *chunks(sse(data))),
            (EVENTS, *chunks(some.encode())),
            (FAILED, *chunks(data.encode())),
        ),
        "openai_speech": lambda: (
            (EVENTS, *chunks(delta(max(2, size)))),
            (PCM, *chunks((TONE * 64)[: max(1, size)])),
            _wav((b"LIST" + bytes(4)) * min(size, 2000)),
            (EVENTS, *chunks(sse(data))),
        ),
        "ollama": lambda: (
            (ollama.HEAD, *chunks(line(some))),
            (ollama.HEAD, *chunks(f'{{"message": {data}}}\n'.encode())),
            (ollama.HEAD, *chunks(some.encode())),
            (JSON, *chunks(data.encode() + b"\n")),
        ),
        "wyoming": lambda: (
            (start(), *endless(chunk((TONE * 64)[: max(2, size)]).written())),
            endless(behind("x", data.encode())),
            endless(behind("audio-chunk", b"", bytes(size))),
            endless(f'{{"type": {data}}}\n'.encode()),
        ),
    }
    protocol = chance.choice([*made])
    return Flood(protocol, chance.choice(made[protocol]()))


@asynccontextmanager
async def flooding(flood: Flood) -> AsyncIterator[str]:
    """A target's servers: the lines of its table that say where they are."""
    async with AsyncExitStack() as stack:
        healthy_llm = await stack.enter_async_context(
            ScriptedLlm(LlmScript(turns=((llm.last_chunk(" Hello", " there."),),)))
        )
        healthy_tts = await stack.enter_async_context(ScriptedTts())
        llm_url, tts_url, more = healthy_llm.url, healthy_tts.url, ""
        match flood.protocol:
            case "chunked":
                llm_url = (await stack.enter_async_context(ScriptedLlm(LlmScript(turns=((flood.steps,),))))).url
            case "magpie":
                tts_url = (
                    await stack.enter_async_context(ScriptedTts(TtsScript(turns=(TtsTurn(segments=(flood.steps,)),))))
                ).url
            case "openai_chat":
                llm_url = (await _http(stack, CHAT, flood)).url
                more = f'llm.model = "{chat.MODEL}"'
            case "ollama":
                llm_url = (await _http(stack, ollama.CHAT, flood)).http_url
                more = f'llm.protocol = "ollama"\nllm.model = "{ollama.MODEL}"'
            case "openai_speech":
                tts_url = (await _http(stack, SPEECH, flood)).url
            case "wyoming":
                tts_url = (await stack.enter_async_context(ScriptedWyoming(WyomingScript(answers=(flood.steps,))))).url
        yield f'llm_url = "{llm_url}"\ntts_url = "{tts_url}"\n{more}\n'


async def _http(stack: AsyncExitStack, path: str, flood: Flood) -> ScriptedHttp:
    answers = {**(ollama.PAGES if flood.protocol == "ollama" else {}), path: (flood.steps,)}
    return await stack.enter_async_context(ScriptedHttp(HttpScript(answers=answers)))
