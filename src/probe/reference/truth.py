"""Scripted servers as a process of their own, which tells at the end when it truly wrote each frame.

    python -m probe.reference.truth --stretch 1

The first line on stdout is JSON with both URLs. When stdin ends, one line of JSON follows for each WebSocket
connection: its server, the trace id that its handshake carried, and its frames as [time.monotonic_ns(), "in" or "out",
what, bytes, nanoseconds]; the time is taken just before the write of what went out and just after the read of what came
in, and the nanoseconds are how long the write took: the frame left somewhere in them.

Each run of it is one turn of `CHUNKS` chunks, heard with a gap between any two; `--stretch` makes every wait so many
times as long.
"""

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from typing import Any

from probe.reference.faults import Entry, LlmScript, Log, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, llm, tts

CHUNKS = 4
TOKENS = (" Why", " did", " the", " unicorn", " cross.")
FIRST_TOKEN_S, TOKEN_S = 0.1, 0.02
FIRST_AUDIO_S, FRAME_S = 0.08, 0.015
LONGEST_FRAME_S = 0.09
AUDIO_MS = 250.0
LEADING_SILENCE_MS = 20.0


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


async def serve(stretch: float) -> None:
    """Serve until stdin ends, then tell."""
    async with (
        ScriptedLlm(LlmScript(turns=(turn(stretch),), slots=sys.maxsize)) as llm_server,
        ScriptedTts(TtsScript(turns=(speech(stretch),))) as tts_server,
    ):
        _print_line({"llm_url": llm_server.url, "tts_url": tts_server.url})
        await asyncio.to_thread(sys.stdin.read)
    for name, server in (("llm", llm_server), ("tts", tts_server)):
        for line in _connections(name, server.log):
            _print_line(line)


def _connections(name: str, log: Log) -> Iterator[dict[str, Any]]:
    frames: dict[int, list[Entry]] = {}
    for entry in log.entries:
        frames.setdefault(entry.connection, []).append(entry)
    for entries in frames.values():
        handshake = next((entry for entry in entries if entry.kind == "http"), None)
        if handshake is not None:
            trace = handshake.headers.get("traceparent", "--").split("-")[1]
            events = [
                [each.at_ns, each.direction, _what(each), len(each.data), each.until_ns - each.at_ns]
                for each in entries
                if each.kind in ("text", "binary")
            ]
            yield {"server": name, "trace_id": trace, "frames": events}


def _what(entry: Entry) -> str:
    if entry.kind == "binary":
        return "audio"
    message = entry.json
    return str(message.get("type") or message.get("action") or message.get("status"))


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
