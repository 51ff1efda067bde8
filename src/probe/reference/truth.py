"""Scripted servers as a process of their own, which reports at the end when it really wrote each frame.

    python -m probe.reference.truth --stretch 1

The first line on stdout is JSON: the URLs of the LLM and the TTS server of each pair, `founding`, `openai`, `riva` and
`wyoming`, and of the one server of `realtime`. Requests of `wyoming` carry no trace id, and go by the LLM's connection
before them: it can measure one target at a time. When stdin ends, one line of JSON follows for each connection: its
server, the trace id of its first request, and its frames as [time.monotonic_ns(), "in" or "out", what, bytes,
nanoseconds]; the time is taken just before the write of what went out and just after the read of what came in, and the
nanoseconds are how long the write took: the frame left somewhere in them. Of an HTTP body, a frame is one chunk, an
event of the answer or a piece of the audio.

Each run of it is one turn of `CHUNKS` chunks; `--stretch` makes every wait so many times as long. The chat server
writes its whole answer without a pause, `FIRST_CHUNK` and then sentences, and the default scenario cuts it just there.
"""

import argparse
import asyncio
import gc
import json
import sys
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from probe.reference.faults import (
    CHAT,
    SPEECH,
    Entry,
    HttpScript,
    LlmScript,
    Log,
    ScriptedHttp,
    ScriptedLlm,
    ScriptedTts,
    TtsScript,
    TtsTurn,
    Wait,
    chat,
    http2_steps,
    llm,
    realtime,
    riva,
    tts,
    wire,
    wyoming,
)
from probe.reference.faults import speech as http_speech
from probe.reference.faults.audio import frames as pieces
from probe.reference.faults.connection import Step, Steps

CHUNKS = 4
TOKENS = (" Why", " did", " the", " unicorn", " cross.")
FIRST_TOKEN_S, TOKEN_S = 0.1, 0.02
FIRST_AUDIO_S, FRAME_S = 0.08, 0.015
LONGEST_FRAME_S = 0.09
AUDIO_MS = 250.0
LEADING_SILENCE_MS = 20.0
# Of each sentence of an answer without pauses: a gap is heard before the first, the others wait for the speech before.
SENTENCE_TOKENS_S = (0.06, 0.02, 0.02)
FIRST_CHUNK = (" So", " here", " is", " one", " about", " a", " horse", " with", " a", " horn")
REASONING = "Something funny."
# The answers of all runs are asked for in one order.
MANY = 100_000


def turn(stretch: float) -> llm.LlmTurn:
    """The LLM server's answers."""
    first, gap = FIRST_TOKEN_S * stretch, TOKEN_S * stretch
    chunks = [llm.chunk(*TOKENS, first=first, gap=gap) for _ in range(CHUNKS - 1)]
    return [*chunks, llm.last_chunk(*TOKENS, first=first, gap=gap)]


def speech(stretch: float) -> TtsTurn:
    """The TTS server's: frame by frame, or all that a segment has at once."""
    # A longer pause would look like the end of a segment that nothing marks.
    gaps = min(FRAME_S * stretch, LONGEST_FRAME_S), 0.0
    return TtsTurn(
        segments=tuple(
            tts.speech(AUDIO_MS, leading_silence_ms=LEADING_SILENCE_MS, first=FIRST_AUDIO_S * stretch, gap=gap)
            for gap in gaps * (CHUNKS // len(gaps))
        )
    )


def chat_answer(stretch: float) -> Steps:
    """Make the chat server's answer: reasoning, then text. Each token is marked with what it is to the chunks."""
    tokens = [("token", text, TOKEN_S) for text in FIRST_CHUNK[:-1]]
    tokens.append(("last_token", FIRST_CHUNK[-1], TOKEN_S))
    for number, gap in enumerate(SENTENCE_TOKENS_S):
        tokens.append(("next_token" if number else "token", TOKENS[0], gap))
        tokens += [("token", text, gap) for text in TOKENS[1:]]
    steps: list[Step] = [chat.HEAD, chat.role(), Wait(FIRST_TOKEN_S * stretch)]
    steps.append(chat.delta({"reasoning_content": REASONING}, part="reasoning"))
    for part, text, gap in tokens:
        steps += [Wait(gap * stretch), chat.delta({"content": text}, part=part)]
    return *steps, chat.finish(part="done"), chat.usage(1 + len(tokens)), *chat.END


def speech_answers(stretch: float) -> Sequence[Steps]:
    """Make the speech server's: piece by piece, all at once, and both as a WAV file whose header comes long before."""
    first = FIRST_AUDIO_S * stretch
    return [
        kind(AUDIO_MS, leading_silence_ms=LEADING_SILENCE_MS, first=first, gap=gap)
        for kind in (http_speech.pcm, http_speech.wav)
        for gap in (FRAME_S * stretch, 0.0)
    ]


def wyoming_answers(stretch: float) -> Sequence[Steps]:
    """Make the Wyoming server's: chunk by chunk, and all at once, each also with its format long before its audio."""
    first = FIRST_AUDIO_S * stretch
    pcm = http_speech.samples(AUDIO_MS, LEADING_SILENCE_MS, wyoming.RATE)
    return [
        (Wait(before), wyoming.start(), *wyoming.chunks(pcm, first=first - before, gap=gap), wyoming.STOP)
        for before in (first, 0.0)
        for gap in (FRAME_S * stretch, 0.0)
    ]


def riva_answers(stretch: float) -> Sequence[Steps]:
    """Make the Riva server's: message by message, and all at once; its head comes long before."""
    first = FIRST_AUDIO_S * stretch
    return [
        http2_steps.speech(AUDIO_MS, leading_silence_ms=LEADING_SILENCE_MS, first=first, gap=gap)
        for gap in (FRAME_S * stretch, 0.0)
    ]


def realtime_answers(stretch: float) -> Sequence[Steps]:
    """Make the agent's: its words, and its sound piece by piece or all at once; its last word is marked as that."""
    words: list[Step] = [Wait(FIRST_TOKEN_S * stretch)]
    for text in FIRST_CHUNK[:-1]:
        words += [realtime.words(text, part="token"), Wait(TOKEN_S * stretch)]
    words.append(realtime.words(FIRST_CHUNK[-1], part="last_token"))
    pcm = http_speech.samples(4 * AUDIO_MS, LEADING_SILENCE_MS, realtime.RATE)
    end = (realtime.sound_done(part="end_of_speech"), realtime.done())
    return [
        (realtime.CREATED, *words, *_heard(pcm, size, FIRST_AUDIO_S * stretch, FRAME_S * stretch), *end)
        for size in (realtime.FRAME_BYTES, len(pcm))
    ]


def _heard(pcm: bytes, size: int, first: float, gap: float) -> Iterator[Step]:
    for number, piece in enumerate(pieces(pcm, size)):
        yield Wait(gap if number else first)
        yield realtime.sound(piece, part="audio", size=len(piece))


async def serve(stretch: float) -> None:
    """Serve until stdin ends, then report."""
    answers = {CHAT: (chat_answer(stretch),), SPEECH: (*speech_answers(stretch),) * MANY}
    async with (
        ScriptedLlm(LlmScript(turns=(turn(stretch),), slots=sys.maxsize)) as llm_server,
        ScriptedTts(TtsScript(turns=(speech(stretch),))) as tts_server,
        ScriptedHttp(HttpScript(answers=answers)) as http_server,
        ScriptedLlm(LlmScript(turns=(turn(stretch),), slots=sys.maxsize)) as other_llm,
        wyoming.ScriptedWyoming(wyoming.WyomingScript(answers=(*wyoming_answers(stretch),) * MANY)) as tcp_server,
        riva.ScriptedRiva(riva.RivaScript(answers=(*riva_answers(stretch),) * MANY)) as grpc_server,
        realtime.ScriptedRealtime(realtime.RealtimeScript(answers=(*realtime_answers(stretch),) * MANY)) as agent,
    ):
        pairs = {"founding": [llm_server.url, tts_server.url], "openai": [http_server.url] * 2}
        pairs |= {"wyoming": [other_llm.url, tcp_server.url], "riva": [llm_server.url, grpc_server.url]}
        _print_line(pairs | {"realtime": [agent.url]})
        await asyncio.to_thread(sys.stdin.read)
    lines = (
        _connections(llm_server.log, {llm_server.path: "llm"}, _what),
        _connections(tts_server.log, {tts_server.path: "tts"}, _what),
        _connections(http_server.log, {CHAT: "llm", SPEECH: "tts"}, _what_of_http),
        _connections(other_llm.log, {other_llm.path: "llm"}, _what),
        _after(other_llm.log, tcp_server.log),
        _connections(grpc_server.log, {riva.SYNTHESIZE: "tts"}, _what_of_riva),
        _agents(agent.log, agent.path),
    )
    for line in chain.from_iterable(lines):
        _print_line(line)


def _connections(log: Log, names: Mapping[str, str], what: Callable[[Entry], str | None]) -> Iterator[dict[str, Any]]:
    """What was said on each connection to a server, which the path of its first request names."""
    for entries in _by_connection(log):
        first = next((entry for entry in entries if entry.kind == "http"), None)
        name = None if first is None else names.get(wire.request_path(first.data))
        if first is not None and name is not None:
            yield {"server": name, "trace_id": _trace(first), "frames": _frames(entries, what)}


def _agents(log: Log, path: str) -> Iterator[dict[str, Any]]:
    """The same of a server that is both, as if it were two."""
    for each in _connections(log, {path: "agent"}, _what_of_realtime):
        sounds = [frame for frame in each["frames"] if frame[2] in ("audio", "end_of_speech")]
        yield {**each, "server": "llm", "frames": [frame for frame in each["frames"] if frame not in sounds]}
        yield {**each, "server": "tts", "frames": sounds}


def _after(llm: Log, tts: Log) -> Iterator[dict[str, Any]]:
    """The same of a TTS server whose requests carry no trace id: of each connection the last run that began before."""
    began = [(entry.at_ns, _trace(entry)) for entry in llm.received("http")]
    for entries in _by_connection(tts):
        last = bisect(began, entries[0].at_ns, key=lambda each: each[0]) - 1
        if last >= 0:
            yield {"server": "tts", "trace_id": began[last][1], "frames": _frames(entries, _what_of_wyoming)}


def _by_connection(log: Log) -> Iterable[list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in log.entries:
        found.setdefault(entry.connection, []).append(entry)
    return found.values()


def _trace(request: Entry) -> str:
    return request.headers.get("traceparent", "--").split("-")[1]


def _frames(entries: Iterable[Entry], what: Callable[[Entry], str | None]) -> list[list[Any]]:
    return [
        [each.at_ns, each.direction, said, _size(each), each.until_ns - each.at_ns]
        for each in entries
        if (said := what(each)) is not None
    ]


def _what(entry: Entry) -> str | None:
    if entry.kind == "binary":
        return "audio"
    if entry.kind != "text":
        return None
    message = entry.json
    return str(message.get("type") or message.get("action") or message.get("status"))


def _what_of_http(entry: Entry) -> str | None:
    """What a part of a request or a response is; None where it is nothing that is measured, as a WAV file's header."""
    if entry.kind == "body":
        return "ask" if "messages" in entry.json else "text"
    if entry.kind != "chunk" or entry.data.startswith(b"RIFF"):
        return None
    if entry.data.startswith(b"data: "):
        event = entry.data.removeprefix(b"data: ")
        return json.loads(event).get("part") if event.startswith(b"{") else None
    return "audio" if entry.data else "end_of_speech"


def _what_of_wyoming(entry: Entry) -> str | None:
    if entry.kind == "audio":
        return "audio"
    kinds = {"synthesize": "text", "audio-stop": "end_of_speech"}
    return kinds.get(entry.json["type"]) if entry.kind == "event" else None


def _what_of_riva(entry: Entry) -> str | None:
    return {"audio": "audio", "body": "text", "end": "end_of_speech"}.get(entry.kind)


def _what_of_realtime(entry: Entry) -> str | None:
    if entry.kind != "text":
        return None
    event = entry.json
    return "ask" if event["type"] == "response.create" else event.get("part")


def _size(entry: Entry) -> int:
    """Of audio in base64, its own."""
    stated = entry.json.get("size") if entry.kind == "text" else None
    return len(entry.data) if stated is None else int(stated)


def _print_line(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stretch", type=float, default=1.0)
    # A collection between a stamp and its write would make the truth untrue.
    gc.disable()
    asyncio.run(serve(parser.parse_args().stretch))


if __name__ == "__main__":
    main()
