"""How exactly is speech paced, and how exact are the figures of the whole wait?

Speech of a minute is played to many targets at once, whose scripted servers are a process of their own. Its log has
the time at which the kernel got each frame, and of each write, on the same clock: the truth. Pacing is how much later
than the earliest frame of its turn each frame came to the server, counted from its place in the speech. How much later
the server's own event loop had the last voiced frame is shown beside it: with that as the truth, it would be in all
figures. Where frames were read together, nobody knows when each of them came; how often that was is said, too.

    make bench-hearing ARGS='--targets 20 --seconds 60'

With --agent each target is one agent that hears, and is spoken into after half a second of its answer.
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
from array import array
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from os import getloadavg
from pathlib import Path
from statistics import quantiles
from typing import Any

from kernel_times import StampedHearing, StampedRealtime

from probe import audio, delays, garbage, whole_wait
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine.hearing import FRAME_MS
from probe.heard import Heard
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import Entry, LlmScript, Log, ScriptedLlm, ScriptedTts, Wait, llm, realtime
from probe.reference.faults.wyoming_hearing import HearingScript, transcript
from probe.tolerance import Tolerance

RATE = 16_000
SAID = "What a person says."
LIMITS = {"connect_s": 30, "stt_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 600}
TOLERANCE = Tolerance(60_000, 60_000, 60_000)


async def serve_agents(targets: int) -> None:
    """Be agents instead."""
    heard = (realtime.STOPPED, realtime.COMMITTED, Wait(0.1), realtime.transcript(SAID))
    answers = (realtime.answer(ms=10_000, first=0.1, gap=0.1),)
    script = realtime.RealtimeScript(silence_ms=300, on_silence=heard, answers=answers, stops_after=0.25)
    async with AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(StampedRealtime(script)) for _ in range(targets)]
        print(json.dumps([[agent.url] for agent in agents]), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps([_truth_of_agent(agent.log) for agent in agents]), flush=True)


def _truth_of_agent(log: Log) -> dict[str, Any]:
    said = [(each, each.json) for each in log.received("text")]
    pieces = [
        (each, any(base64.b64decode(event["audio"])))
        for each, event in said
        if event["type"] == "input_audio_buffer.append"
    ]
    wrote: dict[str, list[int]] = {}
    for each in log.sent("text"):
        wrote.setdefault(each.json["type"], []).append(each.at_ns)
    sounds, stopped = wrote["response.output_audio.delta"], wrote["input_audio_buffer.speech_stopped"][0]
    ended = wrote["response.done"][0]
    voiced = max(number for number, (each, sounds_so) in enumerate(pieces) if sounds_so and each.at_ns < stopped)
    into = next(each.at_ns for each, sounds_so in pieces if sounds_so and each.at_ns > sounds[0])
    return {
        "frames": [each.at_ns for each, _ in pieces[: voiced + 1]],
        "read": pieces[voiced][0].until_ns,
        "together": pieces[voiced][0].at_ns == pieces[voiced + 1][0].at_ns,
        "stopped": stopped,
        "understood": wrote["conversation.item.input_audio_transcription.completed"][0],
        "sound": sounds[0],
        "interrupted": max(at for at in sounds if at < ended) - into,
    }


async def serve(targets: int) -> None:
    """Be the servers of all targets until stdin ends, then print what they logged of each."""
    script = HearingScript(silence_ms=300, answers=((Wait(0.1), transcript(SAID)),))
    async with AsyncExitStack() as stack:
        stts = [await stack.enter_async_context(StampedHearing(script)) for _ in range(targets)]
        turn = (llm.last_chunk(" Here is one.", first=0.1),)
        llms = [await stack.enter_async_context(ScriptedLlm(LlmScript(turns=(turn,)))) for _ in range(targets)]
        ttss = [await stack.enter_async_context(ScriptedTts()) for _ in range(targets)]
        urls = [[stt.url, one.url, tts.url] for stt, one, tts in zip(stts, llms, ttss, strict=True)]
        print(json.dumps(urls), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps([_truth(stt.log, tts.log) for stt, tts in zip(stts, ttss, strict=True)]), flush=True)


def _truth(stt: Log, tts: Log) -> dict[str, Any]:
    """Times of `time.monotonic_ns()`: when the kernel got what came, and just before the writes."""
    pieces = stt.received("audio")
    voiced = max(number for number, piece in enumerate(pieces) if any(piece.data))
    stopped, understood = stt.sent("event")[:2]
    sound: Entry = tts.sent("binary")[0]
    return {
        "frames": [piece.at_ns for piece in pieces[: voiced + 1]],
        "read": pieces[voiced].until_ns,
        "together": pieces[voiced].at_ns == pieces[voiced + 1].at_ns,
        "stopped": stopped.at_ns,
        "understood": understood.at_ns,
        "sound": sound.at_ns,
    }


async def compare(targets: int, seconds: float, *, agent: bool) -> None:
    wanted = ("--serve", "--targets", str(targets), *(("--agent",) if agent else ()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *wanted, stdin=PIPE, stdout=PIPE, limit=2**26
    )
    urls = json.loads(await process.stdout.readline()) if process.stdout is not None else []
    clock = AnchoredClock.anchored_now()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        tone = array("h", (6000 if number // 40 % 2 else -6000 for number in range(round(seconds * RATE))))
        audio.write_wav(path, tone.tobytes(), RATE)
        run = _run_agent if agent else _run
        runs = [run(number, clock, path, *each) for number, each in enumerate(urls)]
        load = getloadavg()
        records = await asyncio.gather(*runs)
    out, _ = await process.communicate(b"")
    print(f"{targets} targets, {seconds:g} s of speech each; load averages {', '.join(f'{each:.1f}' for each in load)}")
    found: dict[str, list[float]] = {}
    truths = json.loads(out)
    for record, truth in zip(records, truths, strict=True):
        if record.failure is not None:
            sys.exit(f"failed: {record.failure.detail}")
        for name, value in _errors(record, truth, clock):
            found.setdefault(name, []).append(value)
    print(f"{'ms':<26}{'n':>7}{'p50':>9}{'p99':>9}{'max':>9}")
    for name, values in found.items():
        cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
        print(f"{name:<26}{len(values):>7}{cuts[49]:>9.3f}{cuts[98]:>9.3f}{max(values):>9.3f}")
    print("last voiced frames that were read with the next one:", sum(truth["together"] for truth in truths))
    print("outcomes:", ", ".join(outcome(record) for record in records))


async def _run(number: int, clock: AnchoredClock, path: Path, stt: str, llm_url: str, tts: str) -> RunRecord:
    target = TargetConfig.of(
        llm={"url": llm_url}, tts={"url": tts}, stt={"url": stt, "endpointing": "server"}, limits=LIMITS,
        objective_ms=100_000,
    )  # fmt: skip
    scenario = ScenarioConfig.of(user_turns=[SAID], user_audio=[str(path)])
    plan = new_plan(target.record(f"t{number}"), scenario.record("speech"))
    return (await measure(plan, TOLERANCE, clock=clock)).record


async def _run_agent(number: int, clock: AnchoredClock, path: Path, url: str) -> RunRecord:
    target = TargetConfig.of(
        agent={"url": url, "endpointing": "server", "transcription_model": "scripted"}, limits=LIMITS,
        objective_ms=100_000, objective_measure="voice_to_voice",
    )  # fmt: skip
    scenario = ScenarioConfig.of(user_turns=[SAID], user_audio=[str(path)], interrupt_after_ms=500)
    plan = new_plan(target.record(f"t{number}"), scenario.record("speech"))
    return (await measure(plan, TOLERANCE, clock=clock)).record


def _errors(record: RunRecord, truth: Mapping[str, Any], clock: AnchoredClock) -> Iterator[tuple[str, float]]:
    (turn,), (measured,) = record.turns, measure_run(record)
    frames = truth["frames"]
    places = [at - number * FRAME_MS * 1_000_000 for number, at in enumerate(frames)]
    for place in places:
        yield "pacing, at the server", (place - min(places)) / 1e6
    heard = turn.heard or Heard()
    yield "pacing, latest write", (heard.longest_late_ns or 0) / 1e6
    ended = frames[-1]
    sound = truth["sound"] + (measured.chunks[0].leading_silence_ms or 0) * 1e6
    ours = whole_wait.question_delay(turn) + delays.before_audio(turn.chunks[:1])
    true = {
        "endpointing_ms": truth["stopped"] - ended,
        "transcription_ms": truth["understood"] - truth["stopped"],
        "voice_to_voice_ms": sound - ended - ours,
    }
    if "interrupted" in truth:
        true["interrupted_ms"] = truth["interrupted"]
    for name, ns in true.items():
        yield f"{name}, error", abs(getattr(measured, name) - ns / 1e6)
    yield "speech_end, error", abs(clock.at(ended) - (heard.speech_end or 0)) / 1e6
    yield "the server's loop, late", (truth["read"] - ended) / 1e6


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="of speech; at most 120")
    parser.add_argument("--agent", action="store_true", help="one server that hears and answers, instead of three")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    garbage.freeze()
    be = serve_agents if chosen.agent else serve
    asyncio.run(be(chosen.targets) if chosen.serve else compare(chosen.targets, chosen.seconds, agent=chosen.agent))


if __name__ == "__main__":
    main()
