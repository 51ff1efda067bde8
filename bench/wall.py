"""How long does a whole run take, against a client that knows the end of a segment by a gap only?

The reference servers on real engines, asked in turn by the probe and by the naive client, for the same answer
(temperature 0, the prompt in the cache). The newer TTS server marks the ends of its segments: that saves one gap per
chunk.

    make bench-wall
"""

import argparse
import asyncio
import secrets
import tempfile
import time
from pathlib import Path
from statistics import median

from naive_client import PROMPT, SYSTEM_PROMPT, converse

from probe.cli.reference_servers import ReferencePair, reference_servers
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import summarise
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.transport.connector import SocketConnector

# As long as a slot of the LLM server cools down.
PAUSE_S = 0.4


async def probe_ms(servers: ReferencePair) -> tuple[float, int]:
    """Wall time and number of chunks of a run."""
    target = TargetConfig.of(llm_url=servers.llm_url, tts_url=servers.tts_url).record("reference")
    scenario = ScenarioConfig.of(
        system_prompt=SYSTEM_PROMPT, user_turns=[PROMPT], temperature=0, prompt_cache="reused"
    ).record("wall")
    clock = AnchoredClock.anchored_now()
    record = await runner.run(new_plan(target, scenario), chosen(target), SocketConnector(clock), clock)
    if record.failure is not None:
        raise SystemExit(f"a run failed: {record.failure.detail}")
    return summarise(record).wall_time_ms or 0.0, len(record.turns[0].chunks)


async def naive_ms(servers: ReferencePair) -> tuple[float, int]:
    chunks = await converse(servers.llm_url, servers.tts_url, secrets.token_hex(16))
    return (time.monotonic_ns() - chunks[0].asked) / 1e6, len(chunks)


async def measure(servers: ReferencePair, runs: int) -> None:
    # Both engines are slow the first time.
    for ask in (probe_ms, naive_ms):
        await ask(servers)
    times: dict[str, list[float]] = {"probe": [], "naive": []}
    counts: set[int] = set()
    for _ in range(runs):
        for name, ask in (("probe", probe_ms), ("naive", naive_ms)):
            await asyncio.sleep(PAUSE_S)
            wall, chunks = await ask(servers)
            times[name].append(wall)
            counts.add(chunks)
    own, other = median(times["probe"]), median(times["naive"])
    if len(counts) > 1:
        raise SystemExit(f"the answers differ: {sorted(counts)} chunks")
    (chunks,) = counts
    print(f"{runs} runs of {chunks} chunks: probe {own:.0f} ms, naive client {other:.0f} ms (medians)")
    print(f"saved {other - own:.0f} ms per run, {(other - own) / chunks:.0f} ms per chunk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, reference_servers(Path(folder), "chunked") as pairs:
        asyncio.run(measure(pairs["chunked"], runs))


if __name__ == "__main__":
    main()
