"""A turn's waterfall as an SVG file of its own, such as the one in the README: with its style, light and dark."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probe.measures import measure_run
from probe.record import RunRecord
from probe.report import stages
from probe.report.html.environment import rendered, style
from probe.report.html.waterfall_svg import AXIS, ROW, Picture, picture

# Pixels: names to the left of the axis, the axis, and figures to its right.
_NAMES, _PLOT, _FIGURES = 80, 760, 190
_MARGIN, _GAP = 14, 10
_WIDTH = _NAMES + _PLOT + _FIGURES + 2 * _MARGIN
_MOST_CHUNKS = 12
# Of the legend: a line, a sample of a colour, what is between two of them, and how wide a letter is at most.
_LINE, _SAMPLE, _APART, _LETTER = 22, 20, 20, 6.9


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample of a colour and its meaning, at a place of the file."""

    kind: str
    text: str
    x: float
    y: float


def svg(record: RunRecord) -> str:
    """The first turn that there is something to draw of. Raises ValueError without one."""
    of_turns = stages.of_run(record, measure_run(record))
    drawn = (picture(each, record.plan.target, _MOST_CHUNKS) for each in of_turns)
    found = next((each for each in drawn if each is not None), None)
    if found is None:
        raise ValueError("nothing of this run has a time: there is no picture of it")
    top = _MARGIN + found.height + _GAP
    legend = [*_legend(found, top)]
    values = {
        "picture": found, "row": ROW, "axis": AXIS, "width": _WIDTH, "height": legend[-1].y + _LINE,
        "margin": _MARGIN, "names": _NAMES, "plot_width": _PLOT, "legend": legend, "style": style(),
    }  # fmt: skip
    return str(rendered("picture.svg", values))


def _legend(found: Picture, top: float) -> Iterator[Entry]:
    """As many side by side as there is room for."""
    entries: Sequence[tuple[str, str]] = found.legend
    if found.objective is not None:
        entries = [*entries, ("objective", found.objective.text)]
    x, y = float(_MARGIN), top
    for kind, text in entries:
        length = _SAMPLE + len(text) * _LETTER
        if x > _MARGIN and x + length > _WIDTH - _MARGIN:
            x, y = float(_MARGIN), y + _LINE
        yield Entry(kind, text, round(x, 1), y)
        x += length + _APART
