"""A run in one line for a person."""

import io
from dataclasses import replace

import click
import pytest
from runs import failed, record, refused, skipped, suspect
from taint import leaked

from probe.daemon.log import make_logger
from probe.record import INTERRUPTED, Failure, RunRecord
from probe.report.log_lines import RUN, LogSink
from probe.report.run_line import WIDTH, run_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(run: RunRecord, stream: io.StringIO | None = None, *, texts: bool = False) -> list[str]:
    stream = stream or io.StringIO()
    LogSink(make_logger(stream, "console", {RUN: run_line}), log_texts=texts).write(run)
    return stream.getvalue().splitlines()


def judged_by_sound(run: RunRecord) -> RunRecord:
    return replace(run, plan=replace(run.plan, target=replace(run.plan.target, objective_measure="response_ttfa")))


OF = "20231114T221320Z local/default:"


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (record(), f"ok      {OF} first byte 300 ms ≤ 1000 ms, first sound 400 ms"),
        (judged_by_sound(record()), f"ok      {OF} first byte 300 ms, first sound 400 ms ≤ 1000 ms"),
        (
            replace(record(), cold=True),
            f"ok      {OF} first byte 300 ms ≤ 1000 ms, first sound 400 ms, cold",
        ),
        (
            record(ttfb_ms=1500),
            f"slow    {OF} first byte 1500 ms > 1000 ms, first sound 1600 ms",
        ),
        (
            judged_by_sound(record(ttfb_ms=950)),
            f"slow    {OF} first byte 950 ms, first sound 1050 ms > 1000 ms",
        ),
        (failed(), f"failed  {OF} tts/no_audio at tts: no audio for a text of 15 characters: …"),
        (refused(), f"failed  {OF} connect/refused at llm: ws://spark:8002/ws: connection refu…"),
        (
            replace(failed(), failure=Failure("internal", "error", "a mistake", 1)),
            f"failed  {OF} internal/error: a mistake",
        ),
        (skipped(), f"skipped {OF} all its slots are taken"),
        (replace(record(), skipped=INTERRUPTED), f"skipped {OF} interrupted"),
        (suspect(), f"suspect {OF} the event loop was late by 31 ms"),
    ],
)
def test_a_run_is_one_line_with_its_outcome_first(run: RunRecord, line: str) -> None:
    assert lines(run) == [line]
    assert len(line) <= WIDTH
    (coloured,) = lines(run, Terminal())
    assert click.unstyle(coloured) == line and coloured.startswith("\x1b[")
    assert leaked([run], (line,)) == []


def test_a_name_of_any_length_and_kind_fits() -> None:
    plan = record().plan
    named = replace(record(), plan=replace(plan, target=replace(plan.target, name="a\nb" * 50)))
    (line,) = lines(named)
    assert len(line) == WIDTH and line.endswith("…")


def test_what_was_said_follows_where_that_is_asked_for() -> None:
    _, *said = lines(failed(), texts=True)
    assert said == [
        "  user: Tell me a joke.",
        "  answer: Why did the unicorn cross the road?",
        "  said: TTS server: can't say 'cross the road?'",
    ]
