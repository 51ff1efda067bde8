"""What `probe run` does once its options are known: one run, watched live, then reported."""

import asyncio
import functools
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from probe.cli import page_file
from probe.cli.exit_codes import EXIT_CODES, INTERRUPTED_CODE
from probe.cli.interrupt import INTERRUPTS, Interrupt
from probe.cli.options import plan_from_options
from probe.cli.output import report_width, say, terminal_width
from probe.cli.status_line import status_line
from probe.daemon import questions
from probe.daemon.reports import Reports
from probe.engine.runner import ignore
from probe.measurement import measure, prepare
from probe.measures import TRUSTED, outcome
from probe.plan import Plan
from probe.progress import EventKind
from probe.record import INTERRUPTED, RunRecord
from probe.report import audio_file, document, terminal, timeline
from probe.report.timeline_printer import Live
from probe.text import escaped
from probe.tolerance import Tolerance
from probe.urls import without_secrets

if TYPE_CHECKING:
    from probe.intelligibility import Recogniser

# What `-` stands for, as in other programs.
STDOUT = Path("-")
# A name without one is as good.
_SUFFIXES = (".wav", "")
_ONE_OF_MANY = "One run is not a measurement: --runs 20 gives p50 and p95."


def planned(
    config_path: Path | None, wav: Path | None, page: Path | None = None, **options: Any
) -> tuple[Plan, Tolerance]:
    """The plan, and how long we may be held up until its run is suspect. Raises UsageProblem.

    All that its run needs is imported then.
    """
    problems = [*(() if wav is None else _unwritable(wav)), *(() if page is None else _unwritable_page(page))]
    plan, tolerance = plan_from_options(config_path, problems=problems, **options)
    return prepare(plan), tolerance


def printing_json(
    plan: Plan, tolerance: Tolerance, *, verbose: bool, recogniser: "Recogniser | None" = None
) -> RunRecord:
    render = functools.partial(timeline.lines, plan=plan, width=report_width())
    unseen: frozenset[EventKind] = frozenset() if verbose else frozenset(get_args(EventKind))
    live = Live(render, functools.partial(say, err=True), unseen, status_line(plan))
    record = _transcribed(_execute(plan, tolerance, live), recogniser)
    # As bytes: JSON is UTF-8, whatever the terminal is. What does not show as itself is a JSON escape.
    text = escaped(json.dumps(document.document(record), ensure_ascii=False, indent=2))
    click.echo(text.encode("utf-8"))
    _complain(record)
    return record


def reported_on_stderr(
    plan: Plan, tolerance: Tolerance, *, verbose: bool, recogniser: "Recogniser | None" = None
) -> RunRecord:
    """As `reported`, with stdout left to the audio."""
    width = min(report_width(), terminal_width(sys.__stderr__))
    return _reported(plan, tolerance, functools.partial(say, err=True), width, recogniser, verbose=verbose)


def reported(plan: Plan, tolerance: Tolerance, *, verbose: bool, recogniser: "Recogniser | None" = None) -> RunRecord:
    """Run a plan with the live timeline, then print the report."""
    record = _reported(plan, tolerance, say, report_width(), recogniser, verbose=verbose)
    if not _same_place():
        _complain(record)
    return record


def _reported(
    plan: Plan,
    tolerance: Tolerance,
    write: Callable[[str], None],
    width: int,
    recogniser: "Recogniser | None",
    *,
    verbose: bool,
) -> RunRecord:
    for line in terminal.header(plan, width):
        write(line)
    unseen = frozenset() if verbose else timeline.FRAMES
    render = functools.partial(timeline.lines, plan=plan, width=width)
    record = _execute(plan, tolerance, Live(render, write, unseen, status_line(plan)))
    record = _transcribed(record, recogniser)
    for line in terminal.report(record, width, _hint(record)):
        write(line)
    if verbose:
        for line in terminal.timestamps(record, width):
            write(line)
    if outcome(record) in TRUSTED:
        write(_ONE_OF_MANY)
    return record


def measured(plan: Plan, tolerance: Tolerance) -> RunRecord:
    """Run a plan, and print nothing."""
    return _execute(plan, tolerance, None)


def _execute(plan: Plan, tolerance: Tolerance, live: Live | None) -> RunRecord:
    """Ask the servers what they serve, then run a plan while `live` shows it.

    Ctrl-C ends the run properly, a second one at once.
    """

    async def go() -> RunRecord:
        stop = asyncio.Event()
        interrupt = Interrupt(stop, asyncio.get_running_loop())
        if live is not None:
            interrupt.before = live.end_status
        for number in INTERRUPTS:
            # Not the loop's own handlers: these stay when it has ended, so that the report is printed to its end.
            signal.signal(number, interrupt)
        observe = ignore if live is None else live.observe
        reports = Reports(plan.target)
        served, cold, *_ = await asyncio.gather(
            questions.identity_of(plan.target), questions.cold(plan.target), reports.ask_all(), reports.ask_others()
        )
        done = await measure(plan, tolerance, observe, stop)
        return questions.answered(done.record, served, cold, await reports.after())

    with live or nullcontext():
        return asyncio.run(go())


def _transcribed(record: RunRecord, recogniser: "Recogniser | None") -> RunRecord:
    """The run with what a recogniser understands of its answer, if one is configured. Ctrl-C leaves it out."""
    if recogniser is None:
        return record
    from probe import intelligibility  # noqa: PLC0415 - what few runs want

    async def go() -> RunRecord:
        stop = asyncio.Event()
        interrupt = Interrupt(stop, asyncio.get_running_loop())
        for number in INTERRUPTS:
            signal.signal(number, interrupt)
        return await intelligibility.at_once(record, recogniser, stop)

    if intelligibility.answers(record):
        say(f"Having the answer transcribed by {without_secrets(recogniser.server.url)}", err=True)
    return asyncio.run(go())


def _unwritable(wav: Path) -> tuple[str, ...]:
    if wav == STDOUT:
        on_terminal = "--save-audio -: standard output is a terminal; have a file or a program take it, such as | aplay"
        return (on_terminal,) if sys.stdout.isatty() else ()
    if wav.suffix.lower() not in _SUFFIXES:
        return (f"--save-audio: {wav}: no, .wav only",)
    try:
        audio_file.check_writable(wav)
    except OSError as error:
        return (f"--save-audio: {wav} can't be written: {error.strerror}",)
    return ()


def _unwritable_page(page: Path) -> tuple[str, ...]:
    if page == STDOUT:
        return ("--report: standard output has the run's report; name a file",)
    wrong = page_file.problem(page)
    return () if wrong is None else (f"--report: {wrong}",)


def _hint(record: RunRecord) -> str | None:
    """What to try after a failure, where its reason alone does not say."""
    if record.failure is None:
        return None
    from probe.cli import swapped  # noqa: PLC0415 - asks the servers, which only a failure wants

    return swapped.hint(record)


def save_audio(record: RunRecord, wav: Path) -> None:
    """Write the run's audio and say where it is."""
    if wav == STDOUT:
        audio = io.BytesIO()
        if not audio_file.save_into(record, audio):
            say("No audio to save", err=True)
        click.echo(audio.getvalue(), nl=False)
        return
    try:
        size = audio_file.save(record, wav)
    except OSError as error:
        say(f"probe run: {wav} could not be written: {error.strerror}", err=True)
        raise SystemExit(EXIT_CODES["failed"]) from error
    say(f"Audio saved to {wav} ({size} bytes of PCM)" if size else f"No audio to save to {wav}", err=True)


def save_page(record: RunRecord, page: Path) -> None:
    """Write the run's page, for its owner alone, and say where it is."""
    from probe.cli.report import page_of  # noqa: PLC0415 - templates, which no other run wants

    try:
        page_file.write(page, page_of(record), page_file.PRIVATE)
    except OSError as error:
        say(f"probe run: {page} could not be written: {error.strerror}", err=True)
        raise SystemExit(EXIT_CODES["failed"]) from error
    say(f"Page written to {page}", err=True)


def conclude(record: RunRecord) -> int:
    """Return the exit code."""
    return INTERRUPTED_CODE if record.skipped == INTERRUPTED else EXIT_CODES[outcome(record)]


def _same_place() -> bool:
    """Whether stdout and stderr are one file, such as a terminal: one text is enough there."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return False


def _complain(record: RunRecord) -> None:
    """Say on stderr what went wrong, if anything."""
    if record.failure is not None:
        detail = document.explained(record, record.failure.detail)
        say(f"probe run: failed ({document.blamed(record.failure)}, {record.failure.reason}): {detail}", err=True)
    elif record.skipped == INTERRUPTED:
        say("probe run: interrupted", err=True)
    elif record.skipped is not None:
        why = document.explained(record, record.skipped)
        say(f"probe run: skipped: {why}; try again when the server's users are done", err=True)
