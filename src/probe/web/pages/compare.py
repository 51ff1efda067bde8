"""The page Compare: is B slower than A? As `probe compare`, with the distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from probe.drift.comparison import Difference, usable
from probe.drift.series import Point, point
from probe.drift.wording import NAMES
from probe.history.file import UnknownRunError
from probe.history.sample import sample, size
from probe.report import comparison_report
from probe.report.comparison_report import Comparison, Side, comparison_of
from probe.report.html.figures import MISSING, moment
from probe.timestamps import NEVER
from probe.web import fields
from probe.web.distribution import Distribution, distribution
from probe.web.page import Asked, BadQueryError, Page

# Of each side, the newest: the intervals of so many are narrow, and the page is there at once.
MOST_RUNS = 1000
_WORDS = {"slower": "B is slower", "faster": "B is faster", "same": "No difference", "unknown": "Can't tell"}
_FIELDS = ("a", "a_run", "a_since", "a_until", "b", "b_run", "b_since", "b_until", "scenario")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One side of the form: a run, or the runs of a target within a span of time."""

    letter: str
    target: str | None
    run_id: str | None
    since: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """The runs of a target from one moment to another, None where it has no end."""

    target: str
    since: int | None
    until: int | None

    @property
    def begin(self) -> int:
        return self.since or 0

    @property
    def end(self) -> int:
        return NEVER - 1 if self.until is None else self.until


@dataclass(frozen=True, slots=True)
class StageView:
    """A row of the table, and its picture."""

    name: str
    difference: Difference
    judged: str
    picture: Distribution | None


def _context(asked: Asked) -> Mapping[str, Any]:
    series = asked.reader.series()
    targets = sorted({target for target, _ in series})
    a, b = sides = [_chosen(asked, letter, targets) for letter in ("a", "b")]
    problem, result = "", {"result": None}
    if any(fields.text(asked.query, name) for name in _FIELDS):
        try:
            result = _compared(asked, a, b, series)
        except (BadQueryError, UnknownRunError) as error:
            problem = str(error)
    return {
        "targets": targets,
        "scenarios": sorted({scenario for _, scenario in series}),
        "scenario": fields.text(asked.query, "scenario"),
        "sides": sides,
        "since": [fields.for_input(each.since) for each in sides],
        "until": [fields.for_input(each.until) for each in sides],
        "suggested": [*_suggested(targets)],
        "most": MOST_RUNS,
        "problem": problem,
        **result,
    }


def _chosen(asked: Asked, letter: str, targets: Sequence[str]) -> Chosen:
    query = asked.query
    return Chosen(
        letter.upper(),
        fields.chosen(query, letter, targets),
        fields.typed(query, f"{letter}_run"),
        fields.moment(query, f"{letter}_since", asked.now),
        fields.moment(query, f"{letter}_until", asked.now),
    )


def _compared(asked: Asked, a: Chosen, b: Chosen, series: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Raises BadQueryError and UnknownRunError where there is nothing to compare."""
    if a.run_id is not None or b.run_id is not None:
        if a.run_id is None or b.run_id is None:
            raise BadQueryError("Compare a run with a run: give the id of both, or of none.")
        one, other = (_run(asked, run_id) for run_id in (a.run_id, b.run_id))
        return _result(comparison_of(one, other, asked.settings.least_change), (1, 1))
    if a.target is None or b.target is None:
        raise BadQueryError("Choose a target for A and for B.")
    spans = [Span(a.target, a.since, a.until), Span(b.target, b.since, b.until)]
    if a.until is None and b.since is not None and a.target == b.target:
        # One that is not bounded ends where the other one begins.
        spans[0] = Span(a.target, a.since, b.since)
    if spans[0] == spans[1]:
        raise BadQueryError("Both sides are the same: choose two targets, or two spans of time.")
    scenario = _scenario(fields.text(asked.query, "scenario"), (a.target, b.target), series)
    one, other = (_side(asked, each, scenario) for each in spans)
    sizes = [size(asked.reader, each.target, scenario, each.begin, each.end) for each in spans]
    return _result(comparison_of(one, other, asked.settings.least_change), sizes)


def _run(asked: Asked, run_id: str) -> Side:
    record = asked.reader.get(run_id)
    return Side(f"run {record.plan.run_id}", [point(record)])


def _side(asked: Asked, span: Span, scenario: str) -> Side:
    found = sample(asked.reader, span.target, scenario, span.begin, span.end, MOST_RUNS)
    begin = "" if span.since is None else f" from {moment(span.since)}"
    end = "" if span.until is None else f" to {moment(span.until)}"
    return Side(f"{span.target}, {scenario}{begin}{end}", found)


def _scenario(wanted: str | None, targets: Sequence[str], series: Sequence[tuple[str, str]]) -> str:
    """The one that both targets have. Raises BadQueryError where there are several, or none."""
    of_each = [{scenario for target, scenario in series if target == each} for each in targets]
    common = sorted(set.intersection(*of_each))
    if wanted is not None and wanted not in common:
        raise BadQueryError(f"scenario: not both have runs of {wanted!r}; there is: {', '.join(common) or 'none'}")
    if wanted is None and len(common) != 1:
        raise BadQueryError(
            f"Choose a scenario: {', '.join(common)}." if common else "These targets have no scenario in common."
        )
    return wanted or common[0]


def _result(comparison: Comparison, sizes: Sequence[int | None]) -> dict[str, Any]:
    how = comparison_report.state(comparison)
    sides = (comparison.a, comparison.b)
    return {
        "result": comparison,
        "state": how,
        "word": _WORDS[how],
        "sentence": _capital(comparison_report.sentence(comparison)),
        "remarks": [*comparison_report.remarks(comparison)],
        "stages": [_stage(each, comparison) for each in comparison.differences],
        "counts": [
            (letter, side, held if held is not None and held > len(side.points) else None)
            for letter, side, held in zip("AB", sides, sizes, strict=True)
        ],
    }


def _capital(sentence: str) -> str:
    """As the first word of a line: on a terminal it follows the verdict."""
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _stage(each: Difference, comparison: Comparison) -> StageView:
    a, b = (_values(side.points, each.stage) for side in (comparison.a, comparison.b))
    judged = each.state(comparison.least_change)
    return StageView(
        NAMES[each.stage],
        each,
        MISSING if judged == "unknown" else judged,
        distribution(a, b, each.a.median, each.b.median) if min(len(a), len(b)) > 1 else None,
    )


def _values(points: Sequence[Point], stage: str) -> list[float]:
    found = (each.ms(stage) for each in usable(points))
    return [value for value in found if value is not None]


def _suggested(targets: Sequence[str]) -> Sequence[tuple[str, str]]:
    """What is compared most, as a link: the last days with those before, and one target with another."""
    first, *others = targets or ("",)
    if not first:
        return []
    spans = [
        (f"{first}: {name}", {"a": first, "a_since": before, "a_until": last, "b": first, "b_since": last})
        for name, before, last in (("today and yesterday", "2d", "1d"), ("this week and the one before", "14d", "7d"))
    ]
    pairs = [(f"{first} and {each}, last week", {"a": first, "a_since": "7d", "b": each, "b_since": "7d"})
             for each in others[:3]]  # fmt: skip
    return [(text, f"/compare?{urlencode(parameters)}") for text, parameters in (*spans, *pairs)]


COMPARE = Page("/compare", "Compare", "compare.html", _context)
