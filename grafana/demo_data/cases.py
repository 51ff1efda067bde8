"""What happens in each case, from its first run to its end, and after it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

from demo_data.machines import capped as capped_machine
from demo_data.machines import free as free_machine
from demo_data.machines import served_by
from demo_data.runs import Pair, Recorder, Stages
from probe.record import RunRecord, ServerIdentity

# Where a test wants the same figures each time; what a person looks at ends now.
END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Long ago a run every few minutes is enough to compare with; Prometheus takes a series for gone after five.
COARSE_S, FINE_S = 285.0, 60.0
# Since when a new model serves.
MODEL_FOR_S = 5.5 * DAY

SPARK = Pair("spark", "joke", Stages(0.18, 0.17, 0.24, 0.06), speech=(0.52, 0.16))
SPARK_STORY = Pair("spark", "long story", Stages(0.38, 0.27, 0.24, 0.06))
SPARK_B = Pair("spark-b", "joke", Stages(0.26, 0.21, 0.30, 0.31))
SPARK_B_STORY = Pair("spark-b", "long story", Stages(0.36, 0.24, 0.30, 0.31))
# The agent of every box of a fleet. What is compared with the hours before needs more than the last day.
KIOSK = Pair("agent", "joke", Stages(0.18, 0.17, 0.24, 0.06))
FLEET_DAYS = 31 / 24
# What the rules over many boxes and their dashboard ask for: everything else would be half a gigabyte of text.
KEPT_OF_FLEET = (
    "voice_probe_build_info",
    "voice_probe_runs_total",
    "voice_probe_combined_ttfb_seconds_bucket",
    "voice_probe_serving_since_timestamp_seconds",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One run that was due: what it became, None where it was missed."""

    pair: Pair
    due_s: float
    next_due_s: float
    record: RunRecord | None


@dataclass(frozen=True, slots=True)
class Due:
    """When a run was due: seconds since the epoch, and before the end of its case; below zero after it."""

    at_s: float
    ago_s: float


Fault = Callable[[Due, Random, Recorder, Stages], RunRecord | None]


@dataclass(frozen=True, slots=True)
class Box:
    """One of a fleet: where it is, and what happens there. Nothing has come from it for `silent_for_s`."""

    site: str
    name: str
    case: "Case"
    silent_for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """`pairs` are measured for `days` up to `end_s`, and `fault` decides what a run becomes.

    Of the past only some `hours` of each day may be there, to have less of it; the last `fine_for_s` are there in full.
    """

    name: str
    pairs: tuple[Pair, ...]
    days: float
    fault: Fault
    hours: range = range(24)
    fine_for_s: float = 8 * HOUR
    end_s: float = END
    # For how long something has lowered the GPU's clocks; None: nothing does.
    capped_for_s: float | None = None
    # Of the LLM server, before and since `MODEL_FOR_S`; and of the probe.
    models: tuple[str, str] = ("Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B-Q5_K_M.gguf")
    version: str = "0.1.0"
    seed: int = 0
    # Of a fleet, which measures no pairs of its own.
    boxes: tuple[Box, ...] = ()
    # The metrics that are there: all, unless some are named.
    kept: tuple[str, ...] = ()
    # The folder in deploy/ whose rules are evaluated over it.
    rules: str = "prometheus"

    @property
    def start_s(self) -> float:
        return self.end_s - self.days * DAY


def moments(case: Case) -> Iterator[list[Moment]]:
    """Every moment at which runs are due, oldest first, without an end."""
    sources = [_of_pair(case, pair, seed) for seed, pair in enumerate(case.pairs, case.seed)]
    for together in zip(*sources, strict=True):
        yield list(together)


def _of_pair(case: Case, pair: Pair, seed: int) -> Iterator[Moment]:
    random, recorder = Random(seed), Recorder(pair, seed)
    for due, following in pairwise(_schedule(case)):
        noise = [random.gauss(0, 0.03) for _ in range(3)]
        changed = due >= case.end_s - MODEL_FOR_S
        stages = _usual(pair.usual, due, [math.exp(each) for each in noise], _spike(random))
        # The new model reads the prompt a little slower.
        stages = replace(stages, llm_ttft=stages.llm_ttft * (1.06 if changed else 1.0))
        record = case.fault(Due(due, case.end_s - due), random, recorder, stages)
        served = ServerIdentity(case.models[changed], "b6920")
        capped = case.capped_for_s is not None and due >= case.end_s - case.capped_for_s
        state = (capped_machine if capped else free_machine)(Random(round(due)))
        if record is not None:
            record = served_by(replace(record, served=served, machine=state), Random(round(due) + seed))
        yield Moment(pair, due, following, record)


def _schedule(case: Case) -> Iterator[float]:
    due = case.start_s
    while True:
        is_fine = due >= case.end_s - case.fine_for_s
        if is_fine or due % DAY // HOUR in case.hours:
            yield due
        due += FINE_S if is_fine else COARSE_S


def _usual(stages: Stages, at_s: float, noise: Sequence[float], spike: float) -> Stages:
    """Two percent slower in the afternoon than at night; each stage has noise of its own."""
    day = spike * (1 + 0.02 * math.sin(2 * math.pi * (at_s % DAY) / DAY - math.pi / 2))
    return replace(
        stages,
        llm_ttft=stages.llm_ttft * day * noise[0],
        llm_decode=stages.llm_decode * day * noise[1],
        tts_ttfb=stages.tts_ttfb * day * noise[2],
    )


def _spike(random: Random) -> float:
    return random.uniform(1.3, 1.9) if random.random() < 0.015 else 1.0


def healthy(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """Users hold the server now and then; one run in 300 can't be trusted; the odd chunk comes a little late."""
    busy = 0.06 if 16 <= due.at_s % DAY / HOUR < 20 else 0.01
    dice = random.random()
    if dice < busy:
        return recorder.skipped(due.at_s)
    doubts = ("the event loop was late by 31 ms",) if dice > 1 - 1 / 300 else ()
    gap = random.uniform(0.05, 0.25) if random.random() < 0.01 else 0.0
    return recorder.complete(due.at_s, replace(stages, gap=gap), doubts)


def slow_speech(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """From 90 minutes ago speech takes longer and longer to start, and fails now and then; before that, all is well."""
    into = 90 * MINUTE - due.ago_s
    if into < 0:
        return healthy(due, random, recorder, stages)
    dice = random.random()
    if dice < 0.01:
        return None
    if dice < 0.14:
        return recorder.failed(due.at_s, "tts", "tts", "no_audio" if dice < 0.1 else "timeout")
    slower = 0.75 * min(1.0, into / (15 * MINUTE))
    gap = random.uniform(0.1, 0.8) if dice > 0.6 else 0.0
    return recorder.complete(due.at_s, replace(stages, tts_ttfb=stages.tts_ttfb + slower, gap=gap))


def drifting(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """For 30 hours all has taken 5 % more, because speech has; seven hours ago everything took 2.5 times as long."""
    if 6 * HOUR < due.ago_s <= 7 * HOUR:
        stages = replace(
            stages, **{name: 2.5 * getattr(stages, name) for name in ("llm_ttft", "llm_decode", "tts_ttfb")}
        )
    if due.ago_s < 30 * HOUR:
        stages = replace(stages, tts_ttfb=stages.tts_ttfb * 1.125)
    return healthy(due, random, recorder, stages)


def dead_llm(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """For 50 minutes nobody has listened where the LLM server should be."""
    if due.ago_s > 50 * MINUTE:
        return healthy(due, random, recorder, stages)
    return recorder.failed(due.at_s, "llm", "connect", "refused")


def busy(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """For three hours users have held every slot."""
    return recorder.skipped(due.at_s) if due.ago_s <= 3 * HOUR else healthy(due, random, recorder, stages)


def hot(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """For three hours all has taken 1.4 times as long: slower than before, and still in time."""
    return healthy(due, random, recorder, _slower(stages, 1.4 if due.ago_s < 3 * HOUR else 1.0))


def weak(due: Due, random: Random, recorder: Recorder, stages: Stages) -> RunRecord | None:
    """All takes 1.65 times as long as elsewhere, and always has: some of it too long."""
    return healthy(due, random, recorder, _slower(stages, 1.65))


def _slower(stages: Stages, times: float) -> Stages:
    return replace(
        stages,
        llm_ttft=times * stages.llm_ttft,
        llm_decode=times * stages.llm_decode,
        tts_ttfb=times * stages.tts_ttfb,
    )


def _fleet(name: str) -> Case:
    """Twelve boxes: two fail, one became slower, one is weak and has a small model, and an old one stopped."""
    boxes = (
        Box("berlin", "kiosk-1", _box(1)),
        Box("berlin", "kiosk-2", _box(2)),
        Box("berlin", "kiosk-3", _box(3, hot)),
        Box("lyon", "desk", _box(4, weak, "Qwen3-4B-Q4_K_M.gguf")),
        Box("lyon", "kiosk-1", _box(5)),
        Box("lyon", "kiosk-2", _box(6)),
        Box("porto", "desk", _box(7, version="0.0.9")),
        Box("porto", "kiosk-1", _box(8, version="0.0.9"), silent_for_s=2 * HOUR + 10 * MINUTE),
        Box("porto", "kiosk-2", _box(9, dead_llm)),
        Box("turin", "desk", _box(10)),
        Box("turin", "kiosk-1", _box(11)),
        Box("turin", "kiosk-2", _box(12, slow_speech)),
    )
    return Case(name, (), FLEET_DAYS, healthy, boxes=boxes, rules="fleet")


def _box(seed: int, fault: Fault = healthy, model: str = "Qwen3-8B-Q4_K_M.gguf", version: str = "0.1.0") -> Case:
    return Case(
        "", (KIOSK,), FLEET_DAYS, fault, fine_for_s=0, models=(model, model), version=version, seed=seed,
        kept=KEPT_OF_FLEET,
    )  # fmt: skip


CASES = {
    case.name: case
    for case in (
        Case("good", (SPARK,), 9, healthy),
        Case("incident", (SPARK,), 9, slow_speech, capped_for_s=90 * MINUTE),
        Case("two-targets", (SPARK, SPARK_B), 9, healthy),
        Case("two-scenarios", (SPARK, SPARK_STORY, SPARK_B, SPARK_B_STORY), 2, healthy),
        Case("skipped", (SPARK,), 5 / 24, busy),
        Case("outage", (SPARK,), 2 / 24, dead_llm),
        Case("drift", (SPARK,), 9, drifting, capped_for_s=30 * HOUR),
        Case("first-day", (SPARK,), 25 / 1440, healthy),
        Case("just-started", (SPARK,), 0, healthy),
        _fleet("fleet"),
    )
}
