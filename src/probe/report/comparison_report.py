"""The report of `probe compare`: both samples, each stage's medians and their difference, and a verdict."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from probe.drift.comparison import Difference, Interval, State, blamed, compared, moved, usable, whole_of
from probe.drift.series import Point
from probe.drift.wording import NAMES, percent
from probe.report.document import rounded
from probe.report.format import MISSING, counted, ms, number, table, wrapped
from probe.report.sample import ORDER
from probe.timestamps import local, utc

_COLOURS: dict[State, str | None] = {"slower": "red", "faster": "green", "same": None, "unknown": "yellow"}
_WORDS: dict[State, str] = {"slower": "SLOWER", "faster": "FASTER", "same": "NO DIFFERENCE", "unknown": "CAN'T TELL"}
_COLUMNS = ("Stage", "A", "B", "B - A", "%", "95 % interval", "B is")
_SPARE = ("%", "B - A")
_JUDGED: dict[State, str] = {"slower": "slower", "faster": "faster", "same": "same", "unknown": MISSING}
# What a person waits for, by the stage that ends with it.
_AWAITED = {"combined_ttfb": "first byte", "voice_to_voice": "first sound"}
# More than anyone would wait for.
_MOST_RUNS = 100_000
_START = 20


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two samples: what it is called, and its runs in the order of time."""

    name: str
    points: Sequence[Point]

    @property
    def usable(self) -> list[Point]:
        return usable(self.points)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides and their differences; one by less than `least_change`, a share of A, is none."""

    a: Side
    b: Side
    least_change: float
    differences: tuple[Difference, ...]

    @property
    def whole(self) -> Difference | None:
        return whole_of(self.differences)


def comparison_of(a: Side, b: Side, least_change: float) -> Comparison:
    return Comparison(a, b, least_change, compared(a.points, b.points))


def state(comparison: Comparison) -> State:
    """What can be said of the whole wait for B, measured by A's."""
    return "unknown" if comparison.whole is None else comparison.whole.state(comparison.least_change)


def report(comparison: Comparison, width: int) -> Iterator[str]:
    """Both sides, the table, the verdict."""
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        yield from wrapped(_described(side), width, f"{letter}  ")
    yield ""
    differences = comparison.differences
    if differences:
        yield from table(_COLUMNS, [_row(each, comparison.least_change) for each in differences], width, _SPARE)
        yield ""
    how = state(comparison)
    for line in wrapped(f"{_WORDS[how]}: {sentence(comparison)}", width):
        yield click.style(line, fg=_COLOURS[how], bold=True)
    for remark in remarks(comparison):
        yield from wrapped(remark, width)


def sentence(comparison: Comparison) -> str:
    """The verdict in one sentence: the whole wait, and whichever stage moved."""
    part = blamed(comparison.differences) if state(comparison) in ("slower", "faster") else None
    others = [each for each in moved(comparison.differences, comparison.least_change) if each is not part]
    stages = " and ".join(
        f"{NAMES[each.stage]} is {'slower' if each.added_ms > 0 else 'faster'} by {number(abs(each.added_ms))} ms"
        f" ({_span(each)})"
        for each in others
    )
    return _of_whole(comparison, part) + (f"; {stages}" if stages else "")


def _of_whole(comparison: Comparison, part: Difference | None) -> str:
    how = state(comparison)
    least = f"{comparison.least_change * 100:g} %"
    whole = comparison.whole
    if whole is None:
        return f"no run with figures of a warm server: {_without_runs(comparison)}"
    if whole.low is None or whole.high is None:
        counts = f"A has {counted(len(comparison.a.usable), 'run')} with figures, B {len(comparison.b.usable)}"
        return f"{counts}; so few have no interval, {_START} of each are a start"
    by, awaited = f"{number(abs(whole.added_ms))} ms", _AWAITED[whole.stage]
    between = f"95 % interval {_span(whole)}"
    if how == "same":
        return f"B's {awaited} comes within {least} of A's ({between})"
    if how == "unknown":
        lies = f"the difference of B's {awaited} lies somewhere from {_span(whole)}"
        return f"{lies}, and less than {least} is none{_more(comparison, whole)}"
    most = "" if part is None else f", most of it {NAMES[part.stage]} ({_signed(part.added_ms)} ms)"
    change = "" if whole.ratio is None else f"{percent(whole.ratio)}, "
    return f"B's {awaited} comes {by} {'later' if how == 'slower' else 'sooner'} than A's ({change}{between}){most}"


def remarks(comparison: Comparison) -> Iterator[str]:
    """Remarks beside the verdict."""
    a, b = (_failed_share(side) for side in (comparison.a, comparison.b))
    if a is not None and b is not None and a != b and max(a, b) > 0:
        yield f"Failed: {a * 100:.1f} % of A, {b * 100:.1f} % of B. Failures are in no figure."
    cold = sum(each.cold for side in (comparison.a, comparison.b) for each in side.points)
    if cold:
        yield f"{counted(cold, 'cold run')}: in no figure."
    asked = {each.asked for side in (comparison.a, comparison.b) for each in side.usable}
    if "text" in asked and len(asked) > 1:
        yield "Not all runs were asked by voice: what is compared begins with the question, after its transcript."


def document(comparison: Comparison) -> dict[str, Any]:
    """One JSON document."""
    return {
        "state": state(comparison),
        "verdict": sentence(comparison),
        "least_change_percent": rounded(comparison.least_change * 100),
        "whole": None if comparison.whole is None else comparison.whole.stage,
        "a": _plain_side(comparison.a),
        "b": _plain_side(comparison.b),
        "moved": [each.stage for each in moved(comparison.differences, comparison.least_change)],
        "stages": {each.stage: _plain(each, comparison.least_change) for each in comparison.differences},
        "remarks": list(remarks(comparison)),
    }


def _described(side: Side) -> str:
    counts = Counter(each.outcome for each in side.points)
    outcomes = ", ".join(f"{counts[each]} {each}" for each in reversed(ORDER) if counts[each])
    if not side.points:
        return f"{side.name}: no runs"
    first, last = (local(side.points[place].started) for place in (0, -1))
    when = f"{first:%Y-%m-%d %H:%M}" if len(side.points) == 1 else f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
    return f"{side.name}: {counted(len(side.points), 'run')} ({outcomes}), {when}"


def _row(each: Difference, least_change: float) -> list[str]:
    span = MISSING if each.low is None else _span(each)
    change = MISSING if each.ratio is None else percent(each.ratio)
    by, judged = f"{_signed(each.added_ms)}ms", _JUDGED[each.state(least_change)]
    return [NAMES[each.stage], ms(each.a.median), ms(each.b.median), by, change, span, judged]


def _span(each: Difference) -> str:
    return f"{_signed(each.low or 0.0)} to {_signed(each.high or 0.0)} ms"


def _signed(value: float) -> str:
    return f"{round(value):+d}" if round(value) else "0"


def _without_runs(comparison: Comparison) -> str:
    named = (("A", comparison.a), ("B", comparison.b))
    empty = [letter for letter, side in named if not side.usable] or ["A, B"]
    return ", ".join(empty)


def _more(comparison: Comparison, whole: Difference) -> str:
    """How many runs would be enough, if scatter shrinks with their square root."""
    wide = ((whole.high or 0.0) - (whole.low or 0.0)) / 2
    least = comparison.least_change * whole.a.median
    # What must be distinguished: the change that was found and none, or the least that matters.
    narrow = max(abs(whole.added_ms), least - abs(whole.added_ms))
    fewest = min(len(comparison.a.usable), len(comparison.b.usable))
    wanted = fewest * (wide / narrow) ** 2 if narrow > 0 else math.inf
    return f"; some {_round(wanted)} runs of each would be enough" if fewest < wanted < _MOST_RUNS else ""


def _round(count: float) -> int:
    """To two digits, upwards: it is a guess."""
    unit = int(10 ** max(0, math.ceil(math.log10(count)) - 2))
    return math.ceil(count / unit) * unit


def _failed_share(side: Side) -> float | None:
    tried = [each for each in side.points if each.outcome in ("ok", "slow", "failed")]
    return sum(each.outcome == "failed" for each in tried) / len(tried) if tried else None


def _plain_side(side: Side) -> dict[str, Any]:
    counts = Counter(each.outcome for each in side.points)
    return {
        "name": side.name,
        "runs": len(side.points),
        "usable": len(side.usable),
        "outcomes": {each: counts[each] for each in ORDER if counts[each]},
        "first": utc(side.points[0].started).isoformat() if side.points else None,
        "last": utc(side.points[-1].started).isoformat() if side.points else None,
    }


def _plain(each: Difference, least_change: float) -> dict[str, Any]:
    plain: dict[str, Any] = rounded(
        {
            "a_ms": each.a.median,
            "a_interval_ms": _ends(each.a),
            "b_ms": each.b.median,
            "b_interval_ms": _ends(each.b),
            "difference_ms": each.added_ms,
            "interval_ms": None if each.low is None else [each.low, each.high],
            "ratio": each.ratio,
        }
    )
    return plain | {"state": each.state(least_change)}


def _ends(each: Interval) -> list[float | None] | None:
    return None if each.low is None else [each.low, each.high]
