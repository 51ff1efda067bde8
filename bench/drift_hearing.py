"""How often is a change of a target that hears reported for nothing?

Each series is of 31 days, one run in five minutes, in which nothing changes: the parts of the whole wait scatter around
their levels. Each is fed to a detector with the daemon's defaults, as the daemon feeds it, once; every change that it
finds is an alarm. Then a copy of the same detector gets three days more, in which one part makes the whole 10 % longer:
that has to be found.

    make bench-drift_hearing
    make bench-drift_hearing ARGS='--series 4 --days 31 --every 300'
"""

import argparse
import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from drift_runs import DAY_S, SERVED, Floats, autoregressive, times

from probe.config import DriftConfig
from probe.drift import Monitor, Shift
from probe.drift.series import Point
from probe.measures import STAGES
from probe.waits import HEARING, Asked

# The handing over of the transcript and the text, and the silence with which the voice begins.
BESIDE_MS = 40.0
STEP, STEP_DAYS, STEPPED = 0.10, 3, "transcription"
LATER_S = 24 * 3600


@dataclass(frozen=True)
class Kind:
    """How the parts scatter: a share of each, as dependent on the run before. `window_ms`: the VAD's, 0 for none."""

    asked: Asked
    levels_ms: Mapping[str, float]
    scatter: float = 0.05
    correlation: float = 0.0
    window_ms: float = 0.0


_CHAIN = {"endpointing": 600.0, "transcription": 350.0, "llm_ttft": 180.0, "llm_decode": 220.0, "tts_ttfb": 190.0}
_PUSHED = {name: ms for name, ms in _CHAIN.items() if name != "endpointing"}
KINDS = {
    "three servers": Kind("speech", _CHAIN),
    "noise 10 %": Kind("speech", _CHAIN, scatter=0.10),
    "neighbours correlated by 0.5": Kind("speech", _CHAIN, correlation=0.5),
    "a VAD of 32 ms": Kind("speech", _CHAIN, window_ms=32.0),
    "the probe ends the speech": Kind("speech", _PUSHED),
    "an agent": Kind("agent_speech", {"endpointing": 600.0, "tts_ttfb": 400.0}),
}


def points(kind: Kind, days: float, every_s: int, seed: int, since: float = 0.0, step: float = 0.0) -> Iterable[Point]:
    """Runs from day `since` on; `step` makes one part longer by that share of the whole."""
    rng = np.random.default_rng(seed)
    runs = round(days * DAY_S / every_s)
    parts = {name: _part(kind, name, level, runs, rng) for name, level in kind.levels_ms.items()}
    longer = STEPPED if STEPPED in parts else "tts_ttfb"
    parts[longer] = parts[longer] + step * sum(kind.levels_ms.values())
    whole = np.sum([*parts.values()], axis=0) + BESIDE_MS * np.exp(autoregressive(runs, kind.scatter, 0.0, rng))
    answer = np.sum([values for name, values in parts.items() if name in STAGES], axis=0)
    columns = {**parts, "voice_to_voice": whole, STAGES[0]: answer}
    started = times(runs, every_s) + since * DAY_S
    for number, at in enumerate(started.tolist()):
        stages, hearing = (
            tuple(float(columns[name][number]) if name in columns else None for name in names)
            for names in (STAGES, HEARING)
        )
        run_id = f"{round(at):x}"
        yield Point(run_id, round(at * 1e9), "ok", SERVED, stages, asked=kind.asked, hearing_ms=hearing)


def _part(kind: Kind, name: str, level: float, runs: int, rng: np.random.Generator) -> Floats:
    taken = level * np.exp(autoregressive(runs, kind.scatter, kind.correlation, rng))
    if name != "endpointing" or not kind.window_ms:
        return np.asarray(taken)
    # The end of the speech lies anywhere in a window, and is seen when a window is over.
    begun = rng.uniform(0, kind.window_ms, runs)
    return np.asarray(np.ceil((taken + begun) / kind.window_ms) * kind.window_ms - begun)


def alarms(kind: Kind, days: int, every_s: int, seed: int) -> tuple[int, int, int | None]:
    """False alarms of a series, those in its first ten days, and after how many runs a step of 10 % was found."""
    config = DriftConfig()
    monitor = Monitor(config.threshold, config.least_change_percent / 100)
    found = _changes(monitor, points(kind, days, every_s, seed))
    early = sum(number < 10 * DAY_S / every_s for number, _ in found)
    stepped = copy.deepcopy(monitor)
    later = _changes(stepped, points(kind, STEP_DAYS, every_s, seed + 1000, days, STEP))
    delays = [number + 1 for number, each in later if each.direction == "slower"]
    soon = delays[0] if delays and delays[0] * every_s <= LATER_S else None
    return len(found), early, soon


def _changes(monitor: Monitor, runs: Iterable[Point]) -> list[tuple[int, Shift]]:
    found = []
    for number, each in enumerate(runs):
        change = monitor.add(each)
        if isinstance(change, Shift):
            found.append((number, change))
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10, help="of each kind")
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--every", type=int, default=300, help="seconds from run to run")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these; default: all")
    chosen = parser.parse_args(arguments)
    print(f"{chosen.series} series of {chosen.days} days each, one run in {chosen.every} s")
    print(f"{'kind':<30}{'alarms':>8}{'first ten days':>16}{'+10 % in a day':>16}{'runs':>6}")
    for name in chosen.kind or KINDS:
        results = [alarms(KINDS[name], chosen.days, chosen.every, seed) for seed in range(chosen.series)]
        total, early = sum(each for each, _, _ in results), sum(each for _, each, _ in results)
        delays = [each for _, _, each in results if each is not None]
        share, runs = f"{len(delays)} of {len(results)}", f"{median(delays):.0f}" if delays else "-"
        print(f"{name:<30}{total:>8}{early:>16}{share:>16}{runs:>6}", flush=True)


if __name__ == "__main__":
    main()
