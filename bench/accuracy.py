"""How far is each timestamp from the moment when the server wrote the frame?

Scripted servers run in a process of their own and log every write on the machine's monotonic clock; the probe measures
them as it measures any server. Prints, for each kind of frame, how long after the write the probe's timestamp lies: the
way through the kernel is part of it, which no client can avoid.

    make bench-accuracy
"""

import argparse
import asyncio
import multiprocessing
from multiprocessing.connection import Connection
from statistics import quantiles

from probe import engine
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.plan import new_plan
from probe.protocols.chunked import ChunkedLlm
from probe.protocols.magpie import MagpieTts
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, llm, tts
from probe.transport import WebSocketConnector

Stamps = dict[str, list[int]]

# One token a chunk: each token is a first one.
TURN = (llm.chunk("Why did the unicorn", first=0.1), llm.last_chunk(" cross the road?", first=0.05))
SEGMENTS = TtsTurn(segments=(tts.speech(1000, first=0.2, gap=0.001),))


def serve(pipe: Connection) -> None:
    """Serve until told to stop, then tell when each frame was written."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    async with (
        ScriptedLlm(LlmScript(turns=(TURN,))) as llm_server,
        ScriptedTts(TtsScript(turns=(SEGMENTS,))) as tts_server,
    ):
        pipe.send((llm_server.url, tts_server.url))
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        texts = [(entry.at_ns, entry.json.get("type")) for entry in llm_server.log.sent("text")]
    pipe.send({
        "first token": [at for at, kind in texts if kind == "token"],
        "chunk end": [at for at, kind in texts if kind in ("paused", "done")],
        "audio frame": [entry.at_ns for entry in tts_server.log.sent("binary")],
    })  # fmt: skip


async def measure(llm_url: str, tts_url: str, runs: int, clock: AnchoredClock) -> Stamps:
    """Run so many times; returns the probe's timestamps by kind of frame."""
    stamps: Stamps = {"first token": [], "chunk end": [], "audio frame": []}
    target = TargetConfig(llm_url=llm_url, tts_url=tts_url).record("scripted")
    for _ in range(runs):
        plan = new_plan(target, ScenarioConfig().record("default"))
        record = await engine.run(plan, (ChunkedLlm(), MagpieTts()), WebSocketConnector, clock)
        if record.failure is not None:
            raise SystemExit(f"a run failed: {record.failure}")
        for chunk in record.turns[0].chunks:
            stamps["first token"].append(chunk.llm_first_token or 0)
            stamps["chunk end"].append(chunk.llm_done or 0)
            stamps["audio frame"] += [at for at, _ in chunk.frames]
    return stamps


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=20)
    runs = arguments.parse_args().runs
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        clock = AnchoredClock.anchored_now()
        llm_url, tts_url = ours.recv()
        stamps = asyncio.run(measure(llm_url, tts_url, runs, clock))
        ours.send("stop")
        truth: Stamps = ours.recv()
    finally:
        server.terminate()
        server.join()
    print(f"{'':12} {'frames':>7} {'p50':>9} {'p99':>9} {'worst':>9}   (behind the server's write, {runs} runs)")
    for kind, written in truth.items():
        behind = [
            (seen - clock.wall_ns + clock.monotonic_ns - wrote) / 1e6
            for seen, wrote in zip(stamps[kind], written, strict=True)
        ]
        cuts = quantiles(behind, n=100, method="inclusive")
        print(f"{kind:12} {len(behind):7} {cuts[49]:6.2f} ms {cuts[98]:6.2f} ms {max(behind):6.2f} ms")


if __name__ == "__main__":
    main()
