"""The report of `probe compare --flows`: what a target gains if the LLM continues while TTS speaks."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from probe import whole_wait
from probe.drift.comparison import Difference, State, difference, interval
from probe.drift.wording import percent
from probe.measures import TRUSTED, ChunkMeasures, outcome, summarise
from probe.record import Outcome, RunRecord
from probe.report.document import rounded
from probe.report.format import MISSING, counted, ms, number, table, wrapped
from probe.report.sample import ORDER

# The figures of a run that a flow may change, as a person reads them; those of a target that hears with the others.
NAMES: Mapping[str, str] = {
    "voice_to_voice_ms": "voice to voice",
    "endpointing_ms": "endpointing",
    "transcription_ms": "transcription",
    "response_ttfb_ms": "first byte",
    "llm_ttft_ms": "LLM TTFT",
    "tts_ttfb_ms": "TTS TTFB",
    "tts_wait_longest_ms": "longest TTS wait",
    "playout_gap_total_ms": "gaps in all",
    "playout_gap_longest_ms": "longest gap",
    "wall_time_ms": "whole answer",
    "speech_to_end_ms": "speech to end",
}
# What the verdict is about: a flow changes what comes after the first chunk. The last that is known is the whole.
_GAPS, _WHOLES = "playout_gap_total_ms", ("speech_to_end_ms", "wall_time_ms")
_COLUMNS = ("Measure", "Sequential", "Overlapped", "Added", "%", "95 % interval", "Overlapped is")
_SPARE = ("%", "Overlapped is")
_WORDS: dict[State, str] = {
    "faster": "OVERLAPPED IS FASTER", "slower": "OVERLAPPED IS SLOWER", "same": "NO DIFFERENCE",
    "unknown": "CAN'T TELL",
}  # fmt: skip
_COLOURS: dict[State, str | None] = {"slower": "red", "faster": "green", "same": None, "unknown": "yellow"}
_START = 20
_MOST_TIMES = 10


@dataclass(frozen=True, slots=True)
class Flows:
    """Runs of one target and scenario in both flows, in the order of time; below `least_change` is no difference."""

    target: str
    sequential: Sequence[RunRecord]
    overlapped: Sequence[RunRecord]
    least_change: float

    def differences(self) -> list[Difference]:
        """Of each figure that both flows have; `a` is sequential."""
        sides = [[_figures(each) for each in _usable(side)] for side in (self.sequential, self.overlapped)]
        found = []
        for name in NAMES:
            known = [[value for each in side if (value := each[name]) is not None] for side in sides]
            if all(known):
                found.append(difference(name, *map(interval, known)))
        return found


def state(flows: Flows) -> State:
    """What can be said of the whole answer, overlapped; it is what every gap is part of.

    Of a target that hears, it begins with the end of the speech.
    """
    whole = _whole(flows.differences())
    return "unknown" if whole is None else whole.state(flows.least_change)


def report(flows: Flows, width: int) -> Iterator[str]:
    """Both flows, the table, and what is gained."""
    for name, side in (("sequential", flows.sequential), ("overlapped", flows.overlapped)):
        yield from wrapped(_described(side), width, f"{flows.target}, {name}: ")
    yield ""
    differences = flows.differences()
    if differences:
        yield from table(_COLUMNS, [_row(each, flows.least_change) for each in differences], width, _SPARE)
        yield ""
    how = state(flows)
    for line in wrapped(f"{_WORDS[how]}: {sentence(flows)}", width):
        yield click.style(line, fg=_COLOURS[how], bold=True)


def sentence(flows: Flows) -> str:
    """The gain in one sentence: the silences between chunks, and the whole answer."""
    differences = flows.differences()
    gaps, whole = _named(differences, _GAPS), _whole(differences)
    if gaps is None or whole is None:
        return "no run with figures of a warm server in one of the flows"
    if whole.low is None:
        fewest = min(len(_usable(flows.sequential)), len(_usable(flows.overlapped)))
        return f"{counted(fewest, 'run')} with figures in a flow; so few have no interval, {_START} of each are a start"
    spoken = whole.stage == "speech_to_end_ms"
    what = "from the end of the speech to that of the answer it takes" if spoken else "the whole answer takes"
    return f"{_gain('a listener waits', 'between chunks', gaps)}; {_gain(what, '', whole)}"


def document(flows: Flows) -> dict[str, Any]:
    """One JSON document."""
    return {
        "target": flows.target,
        "state": state(flows),
        "verdict": sentence(flows),
        "least_change_percent": rounded(flows.least_change * 100),
        "sequential": _plain_side(flows.sequential),
        "overlapped": _plain_side(flows.overlapped),
        "measures": {each.stage: _plain(each, flows.least_change) for each in flows.differences()},
    }


def _figures(record: RunRecord) -> dict[str, float | None]:
    """Each of NAMES."""
    summary = summarise(record)
    first = summary.first or ChunkMeasures()
    # 0 where there was no gap: then it is no missing figure.
    longest = summary.playout_gap_longest_ms if summary.playout_gaps else 0.0
    return {
        **{name: getattr(summary, name, None) for name in NAMES},
        "llm_ttft_ms": first.llm_ttft_ms,
        "tts_ttfb_ms": first.tts_ttfb_ms,
        "playout_gap_longest_ms": longest,
        "speech_to_end_ms": whole_wait.speech_to_end_ms(record),
    }


def _usable(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Those whose figures are latencies of a warm server."""
    return [each for each in records if outcome(each) in TRUSTED and not each.cold]


def _named(differences: Sequence[Difference], name: str) -> Difference | None:
    return next((each for each in differences if each.stage == name), None)


def _whole(differences: Sequence[Difference]) -> Difference | None:
    return next((found for name in _WHOLES if (found := _named(differences, name)) is not None), None)


def _gain(what: str, where: str, each: Difference) -> str:
    by = f"{number(abs(each.added_ms))} ms {'less' if each.added_ms <= 0 else 'more'}"
    between = "" if each.low is None else f"(95 % interval {_span(each)})"
    return " ".join(filter(None, (what, by, where, between)))


def _counts(records: Sequence[RunRecord]) -> dict[Outcome, int]:
    counts = Counter(map(outcome, records))
    return {each: counts[each] for each in reversed(ORDER) if counts[each]}


def _described(records: Sequence[RunRecord]) -> str:
    outcomes = ", ".join(f"{count} {each}" for each, count in _counts(records).items())
    return f"{counted(len(records), 'run')} ({outcomes})" if records else "no runs"


def _row(each: Difference, least_change: float) -> list[str]:
    span = MISSING if each.low is None else _span(each)
    # Of a text that hardly waited, no percentage says anything.
    change = MISSING if each.ratio is None or each.ratio > _MOST_TIMES else percent(each.ratio)
    judged = {"slower": "longer", "faster": "shorter", "same": "same", "unknown": MISSING}[each.state(least_change)]
    return [
        NAMES[each.stage],
        ms(each.a.median),
        ms(each.b.median),
        f"{_signed(each.added_ms)}ms",
        change,
        span,
        judged,
    ]


def _span(each: Difference) -> str:
    return f"{_signed(each.low or 0.0)} to {_signed(each.high or 0.0)} ms"


def _signed(value: float) -> str:
    return f"{round(value):+d}" if round(value) else "0"


def _plain_side(records: Sequence[RunRecord]) -> dict[str, Any]:
    return {"runs": len(records), "usable": len(_usable(records)), "outcomes": _counts(records)}


def _plain(each: Difference, least_change: float) -> dict[str, Any]:
    interval_ms = None if each.low is None else [each.low, each.high]
    plain: dict[str, Any] = rounded(
        {
            "sequential_ms": each.a.median,
            "overlapped_ms": each.b.median,
            "difference_ms": each.added_ms,
            "interval_ms": interval_ms,
            "ratio": each.ratio,
        }
    )
    return plain | {"state": each.state(least_change)}
