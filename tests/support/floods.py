"""Servers that send as much as they can, of every protocol: named ones, and such as chance makes."""

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from flood_parts import (
    EVENTS,
    JSON,
    KIB,
    MIB,
    SMALL,
    TONE,
    Flood,
    behind,
    chunks,
    delta,
    endless,
    frames,
    line,
    nested,
    said,
    sse,
    token,
    wav,
)
from floods_beneath import BENEATH
from floods_of_hearing import OF_HEARING, hearing
from floods_of_others import OF_OTHERS, Made, by_chance_of_others

from probe.reference.faults import (
    CHAT,
    SPEECH,
    Head,
    HttpScript,
    LlmScript,
    Raw,
    ScriptedHttp,
    ScriptedLlm,
    ScriptedTts,
    TtsScript,
    TtsTurn,
    chat,
    llm,
    ollama,
    speech,
    wire,
)
from probe.reference.faults.nim_realtime import NimRealtimeScript, ScriptedNimRealtime
from probe.reference.faults.realtime import RealtimeScript, ScriptedRealtime
from probe.reference.faults.riva import RivaScript, ScriptedRiva
from probe.reference.faults.vllm_speech import ScriptedVllmSpeech, VllmSpeechScript
from probe.reference.faults.wyoming import ScriptedWyoming, WyomingScript, chunk, start

PCM = speech.head("audio/pcm;rate=24000")
FAILED = Head(500, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
LONG_ERROR = json.dumps({"type": "error", "error": {"message": "é " * (SMALL // 8)}})
THINKING = json.dumps({"message": {"thinking": "x " * (120 * KIB)}}).encode() + b"\n"
CONTEXT = json.dumps({"done": True, "context": [1] * 80_000}).encode() + b"\n"
CHOICES = json.dumps({"choices": [{"delta": {}}] * 3000})
NESTED = nested(SMALL, deep=False)
FLOODS: Mapping[str, Flood] = {
    "tokens of 60 KiB": Flood("chunked", said("token", content="é" * (SMALL // 2))),
    "tokens of 16 MiB": Flood("chunked", said("token", content="x" * 16 * MIB)),
    "tokens of one letter": Flood("chunked", said("token", content="x")),
    "words": Flood("chunked", said("token", content=" word. And")),
    "chunks as fast as they are asked for": Flood("chunked", llm.chunk(" Hello", " there.")),
    "JSON of 64 KiB, nested": Flood("chunked", frames(wire.TEXT, b'{"type": "x", "y": ' + NESTED.encode() + b"}")),
    "errors that are not fatal": Flood("magpie", said("error", fatal=False, message="a é" * (SMALL // 4))),
    "audio in frames of 1 MiB": Flood("magpie", frames(wire.BINARY, (TONE * 16)[:MIB])),
    "audio in frames of 2 bytes": Flood("magpie", frames(wire.BINARY, TONE[:2])),
    "ends of segments": Flood("magpie", said("segment_complete", audio_ms=200)),
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
    "a WAV file's header of 1 MiB": Flood("openai_speech", wav(b"LIST" + MIB.to_bytes(4, "little") + bytes(MIB))),
    "a WAV file's header of 2,000 parts": Flood("openai_speech", wav((b"LIST" + bytes(4)) * 2000)),
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
    **OF_OTHERS,
    **BENEATH,
    **OF_HEARING,
}
LLMS = ("chunked", "openai_chat", "ollama")


def by_chance(chance: random.Random) -> Flood:
    """Something, of some size, without an end."""
    size = int(2 ** chance.uniform(0, 22))
    some = "x" * size
    json_of: tuple[str, ...] = (nested(size, deep=False), nested(size, deep=True), json.dumps("é" * (size // 6)), "{}")
    data = chance.choice(json_of)
    made: Made = {
        "chunked": lambda: (
            said("token", content=some),
            frames(wire.TEXT, f'{{"type": {data}}}'.encode()),
            frames(wire.PING, b"x" * min(size, 125)),
            frames(wire.TEXT, data.encode()),
        ),
        "magpie": lambda: (
            said("error", fatal=False, message="é" * size),
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
            wav((b"LIST" + bytes(4)) * min(size, 2000)),
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
    made = {**made, **by_chance_of_others(size, data)}
    protocol = chance.choice([*made])
    return Flood(protocol, chance.choice(made[protocol]()))


@asynccontextmanager
async def flooding(flood: Flood) -> AsyncIterator[str]:
    """A target's servers: the lines of its table that say where they are."""
    async with AsyncExitStack() as stack:
        if flood.hears == "speech" and flood.protocol == "openai_realtime":
            yield _lines(await stack.enter_async_context(hearing(flood)))
            return
        if flood.protocol == "openai_realtime":
            agent = await stack.enter_async_context(ScriptedRealtime(RealtimeScript(answers=(flood.steps,))))
            yield f'agent.protocol = "openai_realtime"\nagent.url = "{agent.url}"\n'
            return
        healthy_llm = await stack.enter_async_context(
            ScriptedLlm(LlmScript(turns=((llm.last_chunk(" Hello", " there."),),)))
        )
        healthy_tts = await stack.enter_async_context(ScriptedTts())
        servers = {"llm_url": healthy_llm.url, "tts_url": healthy_tts.url}
        if flood.hears == "speech":
            servers |= await stack.enter_async_context(hearing(flood))
        elif not flood.hears:
            servers |= await _flooding(stack, flood)
        yield _lines(servers)


def _lines(servers: Mapping[str, str]) -> str:
    return "".join(f'{name} = "{value}"\n' for name, value in servers.items())


async def _flooding(stack: AsyncExitStack, flood: Flood) -> dict[str, str]:
    """What is said of the server that floods."""
    match flood.protocol:
        case "chunked":
            script = LlmScript(turns=((flood.steps,),), on_http=flood.pages)
            return {"llm_url": (await stack.enter_async_context(ScriptedLlm(script))).url}
        case "magpie":
            spoken = TtsScript(turns=(TtsTurn(segments=(flood.steps,)),), on_http=flood.pages)
            return {"tts_url": (await stack.enter_async_context(ScriptedTts(spoken))).url}
        case "openai_chat":
            return {"llm_url": (await _http(stack, CHAT, flood)).url, "llm.model": chat.MODEL}
        case "ollama":
            url = (await _http(stack, ollama.CHAT, flood)).http_url
            return {"llm_url": url, "llm.protocol": "ollama", "llm.model": ollama.MODEL}
        case "openai_speech":
            return {"tts_url": (await _http(stack, SPEECH, flood)).url}
        case "riva":
            called = RivaScript(answers=(flood.steps,))
            called = replace(called, others={**called.others, **flood.pages})
            return {"tts_url": (await stack.enter_async_context(ScriptedRiva(called))).url}
        case "vllm_speech":
            vllm = await stack.enter_async_context(ScriptedVllmSpeech(VllmSpeechScript(answers=(flood.steps,))))
            return {"tts_url": vllm.url, "tts.protocol": "vllm_speech"}
        case "nim_realtime":
            nim = await stack.enter_async_context(ScriptedNimRealtime(NimRealtimeScript(answers=(flood.steps,))))
            return {"tts_url": nim.url, "tts.protocol": "nim_realtime"}
        case _:
            talk = WyomingScript(answers=(flood.steps,))
            talk = replace(talk, info=flood.pages.get("info", talk.info))
            return {"tts_url": (await stack.enter_async_context(ScriptedWyoming(talk))).url}


async def _http(stack: AsyncExitStack, path: str, flood: Flood) -> ScriptedHttp:
    pages = {page: (steps,) for page, steps in flood.pages.items()}
    answers = {**(ollama.PAGES if flood.protocol == "ollama" else {}), **pages, path: (flood.steps,)}
    return await stack.enter_async_context(ScriptedHttp(HttpScript(answers=answers)))
