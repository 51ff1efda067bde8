"""Several runs of one target and scenario as one measurement: p50, p95 and spread of each measure, and the outcomes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from probe.measures import TRUSTED, outcome, summarise
from probe.record import Outcome, RunRecord
from probe.report import runs
from probe.report.document import key_figures, rounded
from probe.report.format import MISSING, counted, number, table, wrapped
from probe.report.objective import ok_means

# From the worst to the best.
ORDER: tuple[Outcome, ...] = ("failed", "suspect", "slow", "skipped", "ok")
NAMES = {
    "voice_to_voice_ms": "Voice to voice",
    "endpointing_ms": "Endpointing",
    "transcription_ms": "Transcription",
    "interrupted_ms": "Interrupted",
    "response_ttfb_ms": "First byte (TTFB)",
    "response_ttfa_ms": "First sound (TTFA)",
    "llm_ttft_ms": "LLM TTFT",
    "llm_ttfat_ms": "LLM TTFAT",
    "llm_gen_time_ms": "LLM gen time",
    "llm_tokens_per_second": "LLM tokens/s",
    "llm_longest_stall_ms": "LLM longest stall",
    "tts_wait_longest_ms": "TTS wait, longest",
    "tts_ttfb_ms": "TTS TTFB",
    "tts_gen_time_ms": "TTS gen time",
    "playout_gap_total_ms": "Silence between",
}
# With fewer runs the p95 is little more than the slowest of them.
ENOUGH_FOR_P95 = 20
_COLUMNS = ("Measure, ms", "n", "p50", "p95", "Lowest", "Highest", "Spread")
_SPARE = ("Lowest", "Highest")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure over the runs that have it. `spread` is the width of the middle half: p75 - p25."""

    n: int
    p50: float
    p95: float
    lowest: float
    highest: float
    spread: float


def trusted(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Those whose figures are latencies of a warm server."""
    return [record for record in records if outcome(record) in TRUSTED and not record.cold]


def values(records: Iterable[RunRecord]) -> dict[str, list[float]]:
    """Each measure's figures, run by run; a run that lacks one is left out of it."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for record in records:
        for name, value in key_figures(summarise(record)).items():
            if value is not None:
                found[name].append(value)
    if found["llm_ttfat_ms"] == found["llm_ttft_ms"]:
        # No model that reasons first.
        del found["llm_ttfat_ms"]
    return {name: each for name, each in found.items() if each}


def figure(sample: Sequence[float]) -> Figure:
    """Fold the figures of one measure, one at least."""
    ordered = sorted(sample)
    p25, p50, p75, p95 = (quantile(ordered, share) for share in (0.25, 0.5, 0.75, 0.95))
    return Figure(len(ordered), p50, p95, ordered[0], ordered[-1], p75 - p25)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest, as in most tools."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def worst(records: Iterable[RunRecord]) -> Outcome:
    """The worst outcome of all; without any run, that is no good one."""
    found = {outcome(record) for record in records}
    return next((each for each in ORDER if each in found), "skipped")


def outcomes(records: Iterable[RunRecord]) -> dict[str, int]:
    """How many of each, the worst first."""
    counts = Counter(outcome(record) for record in records)
    return {each: counts[each] for each in ORDER if counts[each]}


def progress(which: str, record: RunRecord) -> str:
    """One line about a run that has just ended."""
    summary = summarise(record)
    waited = f"first byte {number(summary.response_ttfb_ms)} ms, first sound {number(summary.response_ttfa_ms)} ms"
    why = runs.why(record) or (waited if summary.response_ttfb_ms is not None else "")
    return f"run {which}: {outcome(record)}" + (f": {why}" if why else "")


def report(records: Sequence[RunRecord], width: int) -> Iterator[str]:
    """The table of measures, the outcomes, and remarks on the sample."""
    good = trusted(records)
    sample = {name: figure(each) for name, each in values(good).items()}
    if sample:
        yield from table(_COLUMNS, [_row(NAMES[name], each) for name, each in sample.items()], width, _SPARE)
        yield ""
    counts = ", ".join(f"{count} {each}" for each, count in outcomes(records).items()) or "none"
    means = f" (ok: {ok_means(records[-1].plan.target)})" if records else ""
    for line in wrapped(f"{counted(len(records), 'run')}: {counts}{means}", width):
        yield click.style(line, bold=True)
    for remark in remarks(records):
        yield from wrapped(remark, width)


def remarks(records: Sequence[RunRecord]) -> Iterator[str]:
    """What limits the figures."""
    count = len(trusted(records))
    cold = sum(bool(record.cold) and outcome(record) in TRUSTED for record in records)
    if cold:
        yield f"{counted(cold, 'cold run')}, for which a model was loaded: in no figure."
    yield from _understood(records)
    if not count:
        yield "No run has figures that can be trusted."
    elif count == 1:
        yield "One run is not a measurement: it does not show how much runs vary."
    elif count < ENOUGH_FOR_P95:
        yield f"With fewer than {ENOUGH_FOR_P95} runs, p95 is close to the slowest one."


def _understood(records: Sequence[RunRecord]) -> Iterator[str]:
    """How well a recogniser understood the answers, where one was asked."""
    found = [record.transcription for record in records if record.transcription is not None]
    ratios = [ratio for each in found if (ratio := each.word_error_ratio) is not None]
    if ratios:
        share = figure(ratios)
        rates = f"p50 {number(100 * share.p50, 1)}%, highest {number(100 * share.highest, 1)}%"
        yield f"Word error rate of {counted(len(ratios), 'answer')} that a recogniser transcribed: {rates}."
    if missing := len(found) - len(ratios):
        yield f"{counted(missing, 'answer')} could not be transcribed."


def document(records: Sequence[RunRecord]) -> dict[str, Any]:
    """One JSON document: `measures` of the trusted warm runs, `outcomes`, and each run as in `probe history`."""
    first = records[0].plan if records else None
    return {
        "target": first and first.target.name,
        "scenario": first and first.scenario.name,
        "outcome": worst(records),
        "outcomes": outcomes(records),
        "measures": {name: rounded(asdict(figure(each))) for name, each in values(trusted(records)).items()},
        "remarks": list(remarks(records)),
        **runs.document(runs.entry(record) for record in records),
    }


def _row(name: str, each: Figure) -> list[str]:
    # Of a single run these would only repeat it.
    several = [each.p95, each.lowest, each.highest, each.spread] if each.n > 1 else []
    return [name, str(each.n), number(each.p50), *(number(value) for value in several), *[MISSING] * (4 - len(several))]
