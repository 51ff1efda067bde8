"""What else changed at the same time as a latency: figures of the machine, and other changes in those runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from probe.drift.causes import Cause, Expected, causes, parted
from probe.drift.change import Shift
from probe.drift.circumstances import COVARIATES, Circumstances, covariates
from probe.drift.events import OF_SERVING, Event, events
from probe.drift.series import Point
from probe.machine.state import THROTTLED, WORDS, MachineState
from probe.measures import TRUSTED

# So many runs on either side of a change are looked at: what happens every day is seen at one run per minute.
BEFORE, AFTER = 3000, 200
# By how many runs a change may be dated wrong, and how many on either side of its date are looked at to correct that.
_MISDATED, _WINDOW, _LEAST_SIDE = 40, 80, 3
# A change fell into the same runs if it is so many runs at most from where the latency's is dated.
_NEAR = 5
# A change is named if none of its kind was in so many runs before: frequent ones are left out.
_QUIET = 100
_EXPECTED = {name: Expected(each.least, each.slows) for name, each in COVARIATES.items()}
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Beside:
    """What changed at the same time, the surest first; both are empty where nothing fits."""

    causes: tuple[Cause, ...] = ()
    events: tuple[Event, ...] = ()
    # What lowers the GPU's clocks since then, and did not before.
    caps: tuple[str, ...] = ()


def names(found: Beside) -> tuple[str, ...]:
    """What it names, the surest first, by the names of COVARIATES and the kinds of events: a closed list."""
    return tuple(dict.fromkeys([*(each.name for each in found.causes), *(each.kind for each in found.events)]))


def beside(shift: Shift, points: Sequence[Point], known: Mapping[str, Circumstances]) -> Beside:
    """What is known of the runs around a change; `known` is by run id, and may lack any of them."""
    before, after = around(shift, points)
    figures = {run_id: covariates(each) for run_id, each in known.items()}
    found = [known[each.run_id] for each in (*before, *after) if each.run_id in known]
    starts = [each.started for each in (*before, *after)]
    return Beside(
        causes=tuple(associated(shift, points, figures)),
        events=tuple(_events_near(len(before), starts, events(found)))[:_MOST_NAMED],
        caps=tuple(_caps(before, after, known)),
    )


def associated(
    shift: Shift, points: Sequence[Point], figures: Mapping[str, Mapping[str, float]],
    expected: Mapping[str, Expected] = _EXPECTED,
) -> list[Cause]:  # fmt: skip
    """The figures (by run id, then by name) that changed with the shift's stage."""
    stage = shift.stage
    before, after = around(shift, points)
    names = dict.fromkeys(name for each in (*before, *after) for name in figures.get(each.run_id, {}))
    both = {
        name: tuple([figures.get(each.run_id, {}).get(name) for each in runs] for runs in (before, after))
        for name in names
    }
    return causes(
        _logarithms(before, stage),
        _logarithms(after, stage),
        {name: (left, right) for name, (left, right) in both.items()},
        expected,
    )


def around(shift: Shift, points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """The runs before and after a change whose latency is known, in their order.

    They are divided where the two sides differ most: a few slow runs shortly before a change may date it too early.
    """
    stage = shift.stage
    usable = [
        each
        for each in points
        if each.outcome in TRUSTED
        and not each.cold
        and (each.ms(stage) or 0.0) > 0
        and (shift.until is None or each.started < shift.until)
    ]
    dated = sum(each.started < shift.since for each in usable)
    first = max(0, dated - _WINDOW)
    near, middle = _logarithms(usable[first : dated + _WINDOW], stage), dated - first
    earliest, latest = max(_LEAST_SIDE, middle - _MISDATED), min(len(near) - _LEAST_SIDE, middle + _MISDATED)
    place = parted(near, earliest, latest)
    place = dated if place is None else first + place
    return usable[max(0, place - BEFORE) : place], usable[place : place + AFTER]


def _logarithms(runs: Iterable[Point], stage: str) -> list[float]:
    return [math.log(each.ms(stage) or 1.0) for each in runs]


def _events_near(place: int, starts: Sequence[int], found: Sequence[Event]) -> Iterable[Event]:
    if not starts:
        return
    first, last = starts[max(0, place - _NEAR)], starts[min(len(starts) - 1, place + _NEAR)]
    earliest = starts[max(0, place - _NEAR - _QUIET)]
    for event in found:
        others = [each for each in found if each.kind == event.kind and earliest <= each.at < first]
        if event.kind not in OF_SERVING and first <= event.at <= last and not others:
            yield event


def _caps(before: Sequence[Point], after: Sequence[Point], known: Mapping[str, Circumstances]) -> Iterable[str]:
    """Those of most runs since, and of few before."""
    for reason in THROTTLED:
        left, right = (
            [reason in machine.throttled for each in runs if (machine := _machine(each, known)) is not None]
            for runs in (before, after)
        )
        if right and sum(right) > len(right) / 2 and sum(left) <= len(left) / 2:
            yield WORDS[reason]


def _machine(point: Point, known: Mapping[str, Circumstances]) -> MachineState | None:
    found = known.get(point.run_id)
    return None if found is None else found.machine
