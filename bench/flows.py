"""What does an agent gain whose LLM continues while TTS speaks?

Runs `probe compare --flows` on scripted servers with the pace of a small machine: an LLM that needs 250 ms for the
first token of an answer, 100 ms for that of a further chunk, and 30 ms for each one after it; a TTS server that needs
200 ms for the first audio, and makes audio a tenth faster than it is played. All of it waits, nothing computes: the
figures are those of the pace, and of the probe.

    make bench-flows ARGS='--runs 8'

With --hears the target is asked by voice: an STT server in front, which needs 500 ms of silence and 300 ms for the
transcript.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from probe.audio import write_wav
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, Wait, audio, llm, tts
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript

SENTENCES = ("The sea is calm and grey.", "Small waves run along the sand.", "A ship waits far out there.")
FIRST_S, NEXT_S, TOKEN_S = 0.25, 0.1, 0.03
TTS_FIRST_S, FASTER = 0.2, 1.1
MS_PER_WORD = 200
SAID = "What does the sea look like?"
SPEECH_MS, SILENCE_MS, TRANSCRIBES_S = 1500, 500, 0.3
CONFIG = """
[targets.scripted]
llm.url = "{llm}"
tts.url = "{tts}"
objective_ms = 5000
[targets.scripted.limits]
run_s = 300
[scenarios.sea]
user_turns = ["{said}"]
first_pause = {{ sentence_boundary = true }}
"""
SPOKEN = """
user_audio = ["said.wav"]
[targets.scripted.stt]
url = "{stt}"
endpointing = "server"
"""


def answer() -> LlmScript:
    """An answer of three chunks."""
    words = [[f" {word}" for word in sentence.split()] for sentence in SENTENCES]
    first, second, last = words
    return LlmScript(
        turns=(
            (
                llm.chunk(*first, first=FIRST_S, gap=TOKEN_S),
                llm.chunk(*second, first=NEXT_S, gap=TOKEN_S),
                llm.last_chunk(*last, first=NEXT_S, gap=TOKEN_S),
            ),
        )
    )


def voice() -> TtsScript:
    """The audio of each chunk, frame by frame."""
    frame_s = audio.FRAME_BYTES / 2 / audio.RATE
    lengths = [len(sentence.split()) * MS_PER_WORD for sentence in SENTENCES]
    segments = tuple(tts.speech(ms, first=TTS_FIRST_S, gap=frame_s / FASTER) for ms in lengths)
    return TtsScript(generation="newer", turns=(TtsTurn(segments=segments),))


async def compare(runs: int, *, hears: bool) -> int:
    async with AsyncExitStack() as stack:
        thinks = await stack.enter_async_context(ScriptedLlm(answer()))
        speaks = await stack.enter_async_context(ScriptedTts(voice()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = CONFIG.format(llm=thinks.url, tts=speaks.url, said=SAID)
        if hears:
            script = HearingScript(silence_ms=SILENCE_MS, answers=((Wait(TRANSCRIBES_S), transcript(SAID)),))
            listens = await stack.enter_async_context(ScriptedHearing(script))
            write_wav(folder / "said.wav", audio.tone(SPEECH_MS), audio.RATE)
            config += SPOKEN.format(stt=listens.url)
        path = folder / "probe.toml"
        path.write_text(config)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "probe", "compare", "--flows", "--runs", str(runs), "--config", str(path)
        )
        return await process.wait()


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8, help="in each flow")
    parser.add_argument("--hears", action="store_true", help="the target is asked by voice")
    chosen = parser.parse_args(arguments)
    raise SystemExit(asyncio.run(compare(chosen.runs, hears=chosen.hears)))


if __name__ == "__main__":
    main()
