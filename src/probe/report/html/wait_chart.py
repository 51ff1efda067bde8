"""The wait over time as a picture: median and p95 of each slot of hours, and the objective. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probe.report.format import round_step
from probe.report.html.figures import milliseconds
from probe.report.html.waterfall_svg import Mark
from probe.report.period import Period, Slot
from probe.timestamps import NS_PER_DAY, NS_PER_S, utc

# Of the picture, in its own units: the height of the plot.
HEIGHT = 160
_LINES = 4
_MOST_MARKS = 8
# Above the highest that is drawn.
_ROOM = 1.08
# One slow run should not press all others flat: the axis reaches so many times what 98 % of the slots have.
_CUT, _REACH = 0.98, 2.0
_NS_PER_HOUR = 3600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Column:
    """A slot with runs: its place and width in percent, heights in units from the top; None where no wait is known."""

    x: float
    width: float
    p50: float | None
    p95: float | None
    missed: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    columns: Sequence[Column]
    marks: Sequence[Mark]
    # Lines of the vertical axis: height from the top, and what it says.
    levels: Sequence[tuple[float, str]]
    objective: tuple[float, str] | None
    changes: Sequence[Mark]
    slot: str
    described: str


def chart(period: Period, objective_ms: float | None, changes: Sequence[tuple[int, str]] = ()) -> Chart | None:
    """The period's; None where no run of it has a wait.

    `objective_ms` where that judges the first byte; `changes` are what was found, each with its time.
    """
    known = [(slot, slot.wait(0.5), slot.wait(0.95)) for slot in period.slots.values()]
    highest = sorted(p95 for _, _, p95 in known if p95 is not None)
    if not highest:
        return None
    usual = highest[min(len(highest) - 1, int(len(highest) * _CUT))]
    top = min(max(highest[-1], objective_ms or 0.0), max(usual * _REACH, objective_ms or 0.0)) * _ROOM
    whole = f"median {milliseconds(period.wait(0.5))}, p95 {milliseconds(period.wait(0.95))}"
    slot_name = {1: "hour", 24: "day"}.get(period.hours, f"{period.hours} hours")
    return Chart(
        [_column(slot, p50, p95, period, top) for slot, p50, p95 in known],
        [*_marks(period)],
        [(_height(level, top), milliseconds(level)) for level in _levels(top)],
        None if objective_ms is None else (_height(objective_ms, top), f"objective {milliseconds(objective_ms)}"),
        [Mark(_place(at, period), what) for at, what in changes],
        slot_name,
        f"First byte per {slot_name}; of all, {whole}",
    )


def slot_time(slot: Slot) -> str:
    """When it began, such as 2026-11-30 02:00 UTC."""
    return f"{utc(slot.since):%Y-%m-%d %H:%M} UTC"


def _column(slot: Slot, p50: float | None, p95: float | None, period: Period, top: float) -> Column:
    length = period.until - period.since
    start = max(0.0, 100 * (slot.since - period.since) / length)
    end = min(100.0, 100 * (slot.since + period.hours * _NS_PER_HOUR - period.since) / length)
    runs = sum(slot.outcomes.values())
    title = f"{slot_time(slot)}: median {milliseconds(p50)}, p95 {milliseconds(p95)}, {runs} runs"
    if slot.missed:
        title += f", {slot.missed} of {slot.attempts} not within the objective"
    return Column(
        round(start, 3),
        round(end - start, 3),
        None if p50 is None else _height(p50, top),
        None if p95 is None else _height(p95, top),
        slot.missed / slot.attempts if slot.attempts else 0.0,
        title,
    )


def _place(at: int, period: Period) -> float:
    return round(100 * (at - period.since) / (period.until - period.since), 3)


def _height(value: float, top: float) -> float:
    return round(max(0.0, HEIGHT * (1 - value / top)), 1)


def _levels(top: float) -> Iterator[float]:
    yield from range(0, int(top) + 1, round_step(top / _LINES))


def _marks(period: Period) -> Iterator[Mark]:
    """Midnights in UTC, or round hours of a short time."""
    length = period.until - period.since
    step, shape = NS_PER_DAY, "%-d %b"
    if length <= 2 * NS_PER_DAY:
        step, shape = 6 * _NS_PER_HOUR if length > NS_PER_DAY // 2 else _NS_PER_HOUR, "%H:%M"
    while length / step > _MOST_MARKS:
        step *= 2
    first = -(-period.since // step) * step
    for at in range(first, period.until, step):
        yield Mark(_place(at, period), f"{utc(at):{shape}}")
