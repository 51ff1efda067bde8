"""Does the probe see the same time to first audio as the library that Home Assistant uses, on the same Wyoming server?

The server is asked alternately: by the probe in whole runs, whose text is that of a scripted LLM server, and by the
client of the `wyoming` package, in a process of its own with the Python of `make servers`, for the same text on a
connection that is open before. Each round asks both, in an order that changes.

With --streamed both hand the text over piece by piece, word by word, and the time is that from the first piece.

    .venv-servers/bin/wyoming-piper --voice en_US-joe-medium --uri tcp://127.0.0.1:10200 --data-dir FOLDER_OF_THE_VOICE
    make bench-wyoming_client ARGS=tcp://127.0.0.1:10200
"""

import argparse
import asyncio
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from os import getloadavg
from pathlib import Path
from statistics import median, quantiles, stdev

from probe import garbage
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run
from probe.plan import Target, new_plan
from probe.reference.faults import LlmScript, ScriptedLlm, llm
from probe.tolerance import Tolerance

PYTHON = Path(__file__).parents[1] / ".venv-servers" / "bin" / "python"
TEXT = "Why did the unicorn cross the road?"
ROUNDS = 60
# Reads texts from stdin, and writes for each how long its first audio took, in seconds.
CLIENT = """
import asyncio, sys, time
from wyoming.audio import AudioChunk, AudioStop
from wyoming.client import AsyncClient
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

streamed = sys.argv[2] == "streamed"
End = SynthesizeStopped if streamed else AudioStop

async def hand_over(client, text):
    if not streamed:
        return await client.write_event(Synthesize(text=text).event())
    await client.write_event(SynthesizeStart().event())
    for word in text.split(" "):
        await client.write_event(SynthesizeChunk(text=f"{word} ").event())
    await client.write_event(SynthesizeStop().event())

async def spoken(text):
    async with AsyncClient.from_uri(sys.argv[1]) as client:
        began, first = time.perf_counter(), None
        await hand_over(client, text)
        while (event := await client.read_event()) is not None and not End.is_type(event.type):
            if first is None and AudioChunk.is_type(event.type):
                first = time.perf_counter() - began
        return first

for line in sys.stdin:
    print(asyncio.run(spoken(line.strip())), flush=True)
"""
HEADS = ("min", "p10", "median", "p95", "deviation")


Ask = Callable[[], Awaitable[float]]


@asynccontextmanager
async def library(url: str, mode: str) -> AsyncIterator[Ask]:
    """Ask with the other client, for milliseconds."""
    process = await asyncio.create_subprocess_exec(PYTHON, "-c", CLIENT, url, mode, stdin=PIPE, stdout=PIPE)
    asked, answers = process.stdin, process.stdout
    if asked is None or answers is None:
        raise SystemExit("the other client has no pipes")

    async def ask() -> float:
        asked.write(f"{TEXT}\n".encode())
        return 1000 * float(await answers.readline())

    yield ask
    asked.close()
    await process.wait()


async def by_turns(target: Target, client: Ask, rounds: int) -> dict[str, list[float]]:
    scenario = ScenarioConfig.of().record("ttfb")

    async def probe() -> float:
        record = (await measure(new_plan(target, scenario), Tolerance(60_000, 60_000, 60_000))).record
        if record.failure is not None:
            raise SystemExit(f"a run failed: {record.failure.detail}")
        return measure_run(record)[0].chunks[0].tts_ttfb_ms or 0.0

    asks: dict[str, Ask] = {"probe": probe, "wyoming": client}
    for ask in asks.values():
        await ask()
    garbage.freeze()
    found: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(rounds):
        for name in [*asks] if number % 2 else reversed([*asks]):
            found[name].append(await asks[name]())
    return found


def report(found: dict[str, list[float]]) -> None:
    print(f"load averages, this bench included: {', '.join(f'{each:.1f}' for each in getloadavg())}")
    print(f"{'tts_ttfb_ms':12} {'n':>4} " + " ".join(f"{head:>9}" for head in HEADS))
    for name, each in found.items():
        cuts = quantiles(each, n=100, method="inclusive")
        figures = (min(each), cuts[9], cuts[49], cuts[94], stdev(each))
        print(f"{name:12} {len(each):4} " + " ".join(f"{figure:9.2f}" for figure in figures))
    print(f"medians: {median(found['probe']) - median(found['wyoming']):+.2f} ms")


async def compared(url: str, rounds: int, mode: str) -> dict[str, list[float]]:
    answer = llm.last_chunk(*re.findall("[^ ]+ ?", TEXT))
    async with library(url, mode) as client, ScriptedLlm(LlmScript(turns=((answer,),))) as llm_server:
        limits = {"tts_s": 60, "run_s": 60}
        target = TargetConfig.of(llm={"url": llm_server.url}, tts={"url": url, "mode": mode}, limits=limits)
        return await by_turns(target.record("wyoming"), client, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the Wyoming server")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--streamed", dest="mode", action="store_const", const="streamed", default="whole",
        help="hand the text over piece by piece",
    )  # fmt: skip
    options = parser.parse_args()
    report(asyncio.run(compared(options.url, options.rounds, options.mode)))


if __name__ == "__main__":
    main()
