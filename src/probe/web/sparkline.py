"""A day as a small picture: the paths of an SVG, one character per unit of width, from the values of `report.day`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probe.report.day import Slot

HEIGHT = 40
# Above the bars: times with a failed run, and times with a slow one, which a median hides.
_MARK, _TOP = 5, 8


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`width` by `HEIGHT` units. The paths may be empty; `objective` is a height, None where it is not known."""

    width: int
    well: str
    slow: str
    late: str
    failed: str
    objective: float | None
    # The wait that is as high as the picture, in milliseconds.
    highest_ms: float
    failures: int
    late_runs: int


def sparkline(slots: Sequence[Slot], objective_ms: float | None) -> Sparkline:
    """A slot's bar is its median wait; it is that of slow runs where the median is over the objective."""
    waits = [each.wait_ms for each in slots if each.wait_ms is not None]
    highest = max([*waits, objective_ms or 0.0, 1.0])
    limit = highest if objective_ms is None else objective_ms
    return Sparkline(
        len(slots),
        "".join(_bars(slots, highest, 0.0, limit)),
        "".join(_bars(slots, highest, limit, highest)),
        _marks([each.slow > 0 and not each.failed for each in slots]),
        _marks([each.failed > 0 for each in slots]),
        None if objective_ms is None else round(HEIGHT - _scaled(objective_ms, highest), 1),
        highest,
        sum(each.failed for each in slots),
        sum(each.slow for each in slots),
    )


def _marks(where: Sequence[bool]) -> str:
    return "".join(f"M{at} 0h1v{_MARK}h-1z" for at, is_marked in enumerate(where) if is_marked)


def _bars(slots: Sequence[Slot], highest: float, above: float, until: float) -> Iterator[str]:
    for at, each in enumerate(slots):
        if each.wait_ms is not None and above < each.wait_ms <= until:
            height = max(1.0, round(_scaled(each.wait_ms, highest), 1))
            yield f"M{at}.1 {HEIGHT}v-{height:g}h.8v{height:g}z"


def _scaled(ms: float, highest: float) -> float:
    return ms / highest * (HEIGHT - _TOP)
