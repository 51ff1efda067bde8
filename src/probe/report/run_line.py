"""One run in one log line for people: the outcome first, then the run, then its results."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from probe.text import cut, one_line

WIDTH = 100
_COLOURS = {"ok": "green", "slow": "red", "failed": "red", "suspect": "yellow", "skipped": "yellow"}
_FIGURES = {"voice_to_voice": "voice to voice", "response_ttfb": "first byte", "response_ttfa": "first sound"}
_OUTCOME_WIDTH = max(map(len, _COLOURS))


def run_line(fields: Mapping[str, Any]) -> str:
    """The line of a run with these fields, as `LogSink` has them, at most WIDTH wide except for colours.

    `probe show` finds the run by the moment that begins its id. What was said follows in lines of its own, where the
    fields have it.
    """
    outcome, moment = fields["outcome"], fields["run_id"].partition("-")[0]
    rest = one_line(f"{moment} {fields['target']}/{fields['scenario']}: {_what(fields)}")
    left = WIDTH - _OUTCOME_WIDTH - 1
    line = f"{click.style(f'{outcome:<{_OUTCOME_WIDTH}}', fg=_COLOURS[outcome], bold=True)} {_fitting(rest, left)}"
    return "\n".join([line, *_said(fields)])


def _what(fields: Mapping[str, Any]) -> str:
    if "reason" in fields:
        where = f" at {fields['server']}" if "server" in fields else ""
        return f"{fields['stage']}/{fields['reason']}{where}: {fields['detail']}"
    if "skipped" in fields:
        return str(fields["skipped"])
    if "doubts" in fields:
        return "; ".join(fields["doubts"])
    return ", ".join(_figures(fields))


def _figures(fields: Mapping[str, Any]) -> Iterator[str]:
    for measure, what in _FIGURES.items():
        if (value := fields.get(f"{measure}_ms")) is not None:
            judged = fields.get("objective_measure") == measure
            than = ">" if fields["outcome"] == "slow" else "≤"
            yield f"{what} {value:.0f} ms" + (f" {than} {fields['objective_ms']:.0f} ms" if judged else "")
    if fields.get("cold"):
        yield "cold"


def _said(fields: Mapping[str, Any]) -> Iterator[str]:
    # Else it is only how many there were.
    if isinstance(turns := fields.get("turns"), list):
        for turn in turns:
            yield f"  user: {one_line(turn['user'])}"
            yield f"  answer: {one_line(turn['text'])}"
    for words in fields.get("said") or ():
        yield f"  said: {one_line(words)}"


def _fitting(text: str, width: int) -> str:
    return text if len(text) <= width else cut(text, width - 1)
