"""The page Drift: has a target become slower, which stage, and since when; the series as a chart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from probe.drift import Change, ServingChange, Verdict
from probe.drift.fingerprint import Fingerprint
from probe.drift.wording import NAMES, grows, moved_by, sentence, text
from probe.history.binned import Bin, binned, span
from probe.timestamps import NS_PER_DAY, NS_PER_S, epoch_seconds
from probe.waits import WAITS
from probe.web import fields
from probe.web.kept import KEPT
from probe.web.page import Asked, BadQueryError, Content, File, Page

DAYS = {"1": "a day", "7": "a week", "30": "30 days", "90": "90 days"}
_USUAL_DAYS = "30"
# A column of the chart each; more would be no more to see.
COLUMNS = 320
# The last ones; a series that changes more often has its own page of runs.
MOST_CHANGES = 60
_MOST_SERIES = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A change in the list: its number in the chart, None where it is before what the chart shows."""

    number: int | None
    since: int
    kind: str
    text: str
    before: str | None
    after: str | None


def _context(asked: Asked) -> Mapping[str, Any]:
    every = asked.reader.series()
    if not every:
        return {"series": [], "chosen": None}
    chosen = _chosen(asked, every)
    verdict = KEPT.verdict(asked, chosen)
    days = fields.chosen(asked.query, "days", tuple(DAYS)) or _USUAL_DAYS
    served = asked.reader.serving_since(*chosen)
    parameters = {"target": chosen[0], "scenario": chosen[1]}
    others = every[:_MOST_SERIES]
    ends = span(asked.reader, *chosen)
    return {
        "series": [
            (target, scenario, _address({"target": target, "scenario": scenario})) for target, scenario in others
        ],
        "hidden": len(every) - len(others),
        "chosen": chosen,
        "verdict": verdict,
        "sentence": None if verdict is None else sentence(verdict),
        "stages": [] if verdict is None else [(NAMES[each.stage], each, moved_by(each)) for each in verdict.now],
        "grows": [] if verdict is None else [f"{NAMES[each.stage]}: {grows(each)}" for each in verdict.grows],
        "changes": _rows(verdict, _since(ends, days)),
        "served": None if served is None else (_served(served[0]), served[1]),
        "ways": [(words, number == days, _address(parameters | {"days": number})) for number, words in DAYS.items()],
        "data": f"/drift/series.json?{urlencode(parameters | {'days': days}, errors='replace')}",
        "names": [(stage, NAMES[stage]) for stage in _stages(asked, chosen)],
        "runs": f"/runs?{urlencode(parameters, errors='replace')}",
    }


def _series_json(asked: Asked) -> Content:
    """The chart's values: for each stage the lowest, the median and the highest of every bin; null where unknown."""
    every = asked.reader.series()
    if not every:
        return _json({"t": [], "stages": {}, "failed": [], "runs": [], "changes": []})
    chosen = _chosen(asked, every)
    days = fields.chosen(asked.query, "days", tuple(DAYS)) or _USUAL_DAYS
    ends = span(asked.reader, *chosen)
    since = _since(ends, days)
    until = (asked.now if ends is None else ends[1]) + 1
    if ends is not None:
        since = max(since, ends[0])
    stages = _stages(asked, chosen)
    bins = {each.number: each for each in binned(asked.reader, chosen, since, until, COLUMNS, stages)}
    length = max(1, -(-(until - since) // COLUMNS))
    places = range(max(bins, default=-1) + 1)
    empty = Bin(0, 0, 0, (None,) * len(stages))
    columns = [bins.get(number, empty) for number in places]
    changes = _rows(KEPT.verdict(asked, chosen), since)
    return _json({
        "t": [round(epoch_seconds(since + number * length + length // 2)) for number in places],
        "stages": {stage: _ends(columns, at) for at, stage in enumerate(stages)},
        "runs": [each.runs for each in columns],
        "failed": [each.failed for each in columns],
        "changes": [{"number": each.number, "at": round(epoch_seconds(each.since)), "kind": each.kind}
                    for each in changes if each.number is not None],
    })  # fmt: skip


def _ends(columns: Sequence[Bin], at: int) -> dict[str, list[float | None]]:
    found = [each.stages[at] or (None, None, None) for each in columns]
    return {
        name: [None if (value := each[which]) is None else round(value, 1) for each in found]
        for which, name in enumerate(("lowest", "median", "highest"))
    }


def _stages(asked: Asked, series: tuple[str, str]) -> Sequence[str]:
    """What a person waits for, as the target was asked last."""
    last = next(asked.reader.points(*series, limit=1), None)
    return WAITS["text" if last is None else last.asked]


def _chosen(asked: Asked, every: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The series of the address, else the first one that has become slower. Raises BadQueryError."""
    target, scenario = (fields.text(asked.query, name) for name in ("target", "scenario"))
    if target is None and scenario is None:
        cards = KEPT.now(asked).cards
        slower = [each for each in cards if each.verdict is not None and each.verdict.state == "slower"]
        first = next(iter(slower or cards), None)
        return every[0] if first is None else (first.target, first.scenario)
    found = [each for each in every if target in (None, each[0]) and scenario in (None, each[1])]
    if not found:
        raise BadQueryError("There are no runs of this target and scenario.")
    return found[0]


def _since(ends: tuple[int, int] | None, days: str) -> int:
    """Where the chart begins: so many days before the last run."""
    last = 0 if ends is None else ends[1]
    return last - int(days) * NS_PER_DAY - NS_PER_S


def _rows(verdict: Verdict | None, since: int) -> list[Row]:
    """The newest first; numbered from the oldest that the chart shows."""
    changes: Sequence[Change] = () if verdict is None else verdict.changes[-MOST_CHANGES:]
    rows, number = [], 0
    for each in changes:
        number += each.since >= since
        rows.append(_row(each, number if each.since >= since else None))
    return rows[::-1]


def _row(change: Change, number: int | None) -> Row:
    kind = "serving" if isinstance(change, ServingChange) else change.direction
    before, after = (_run(ids[at]) if ids else None for ids, at in ((change.before, -1), (change.after, 0)))
    return Row(number, change.since, kind, text(change), before, after)


def _run(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


def _served(found: Fingerprint) -> Sequence[tuple[str, str]]:
    named = (
        ("LLM: model and build", found.llm),
        ("TTS: model, voice and format", found.tts),
        ("Settings", found.config),
    )
    return [(name, value or "not known") for name, value in named]


def _address(parameters: Mapping[str, str]) -> str:
    return f"/drift?{urlencode(parameters, errors='replace')}"


def _json(value: Mapping[str, Any]) -> Content:
    return Content(json.dumps(value, separators=(",", ":")).encode(), "application/json")


DRIFT = Page("/drift", "Drift", "drift.html", _context)
DRIFT_FILES = (File("/drift/series.json", _series_json),)
