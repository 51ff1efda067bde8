"""`probe run`: one run, watched live, then reported."""

import asyncio
import functools
import json
import os
import shutil
import signal
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import click

from probe.cli.options import plan_from_options
from probe.garbage import freeze
from probe.record import Outcome, Plan, RunRecord
from probe.report.timeline_printer import Live

EXIT_CODES: dict[Outcome, int] = {"ok": 0, "failed": 1, "slow": 3, "suspect": 4, "skipped": 5}
MAX_WIDTH = 110
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@click.command(short_help="Measure once: live timeline, summary, chunk table.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option("--target", help="A configured target.  [default: the first]")
@click.option("--scenario", help="A configured scenario.  [default: the first]")
@click.option("--llm-url", metavar="WS_URL", help="The chunked LLM server.  [default: ws://localhost:8002/ws]")
@click.option("--tts-url", metavar="WS_URL", help="The TTS server.  [default: ws://localhost:8001/ws/tts/stream]")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What the user says; again for another turn.")
@click.option("--turns", type=int, help="How many turns, cycling the prompts.")
@click.option("--voice", help="A voice of the TTS server.  [default: aria]")
@click.option("--language", help="A language of the TTS server.  [default: en]")
@click.option("--save-audio", "wav", type=click.Path(path_type=Path), metavar="FILE.wav", help="Keep what was heard.")
@click.option("--verbose", is_flag=True, help="Show every frame and every timestamp.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def run(config_path: Path | None, wav: Path | None, *, verbose: bool, as_json: bool, **options: Any) -> None:
    plan, max_lag_ms = plan_from_options(config_path, problems=() if wav is None else _unwritable(wav), **options)
    measure = _run_printing_json if as_json else _run_and_report
    record = measure(plan, max_lag_ms, verbose=verbose)
    if wav is not None:
        save_audio(record, wav)
    raise SystemExit(conclude(record))


run.help = """Measure one run: ask the LLM server, have the TTS server speak, report every stage.

\b
Exit codes:
  0  ok         every turn's first audio came within the objective
  1  failed     a server failed; the line on stderr says which stage and why
  2  usage      a flag, the configuration or a path is wrong
  3  slow       complete, but a response started later than the objective
  4  suspect    complete, but the measurement can't be trusted
  5  skipped    the LLM server has no slot free: its users come first

\b
Examples:
  probe run --llm-url ws://spark:8002/ws --tts-url ws://spark:8001/ws/tts/stream
  probe run --prompt "Tell me a joke." --prompt "Another one." --save-audio jokes.wav
  probe run --json | jq .summary
"""


def _run_printing_json(plan: Plan, max_lag_ms: float, *, verbose: bool) -> RunRecord:
    from probe.report import document, timeline  # noqa: PLC0415 - `--help` stays quick

    timeline_on_stderr = Live(functools.partial(timeline.lines, plan=plan), functools.partial(say, err=True))
    record = _execute(plan, max_lag_ms, timeline_on_stderr if verbose else None)
    # As bytes: JSON is UTF-8, whatever the terminal is. Half a character in an argument becomes a JSON escape.
    text = json.dumps(document.document(record), ensure_ascii=False, indent=2)
    click.echo(text.encode("utf-8", "backslashreplace"))
    return record


def _run_and_report(plan: Plan, max_lag_ms: float, *, verbose: bool) -> RunRecord:
    """Run a plan with the live timeline, then print the report."""
    from probe.report import terminal, timeline  # noqa: PLC0415 - `--help` stays quick

    width = min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH)
    for line in terminal.header(plan, width):
        say(line)
    unseen = frozenset() if verbose else timeline.FRAMES
    record = _execute(plan, max_lag_ms, Live(functools.partial(timeline.lines, plan=plan), say, unseen))
    for line in terminal.report(record, width):
        say(line)
    if verbose:
        for line in terminal.timestamps(record):
            say(line)
    return record


def _execute(plan: Plan, max_lag_ms: float, live: Live | None) -> RunRecord:
    """Run a plan while `live` shows it. Ctrl-C ends the run properly, a second one at once."""
    from probe.engine.runner import ignore  # noqa: PLC0415 - `--help` stays quick
    from probe.measurement import measure  # noqa: PLC0415 - `--help` stays quick

    async def go() -> RunRecord:
        stop = asyncio.Event()
        interrupt = _Interrupt(stop, asyncio.get_running_loop())
        for number in INTERRUPTS:
            # Not the loop's own handlers: these stay when it has ended, so that the report is printed to its end.
            signal.signal(number, interrupt)
        observe = ignore if live is None else live.observe
        return (await measure(plan, max_lag_ms, observe, stop)).record

    freeze()
    with live or nullcontext():
        return asyncio.run(go())


def say(line: str, *, err: bool = False) -> None:
    """Print a line, with colours only where they can be seen and are wanted (see no-color.org)."""
    click.echo(line, err=err, color=False if os.environ.get("NO_COLOR") else None)


class _Interrupt:
    """The first signal ends the run properly, another one after a moment at once.

    Within that moment it is the same one: a wrapper such as make passes on what the terminal has sent to all.
    """

    MOMENT_S = 1.0

    def __init__(self, stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        self._stop = stop
        self._loop = loop
        self._first: float | None = None

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if self._first is not None and now - self._first > self.MOMENT_S:
            os._exit(EXIT_CODES["failed"])
        if self._first is None:
            self._first = now
            with suppress(RuntimeError):  # the run is over and its loop closed
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._stop.set()
        say("Interrupted: giving back the server's slot. Once more to leave at once.", err=True)


def _unwritable(wav: Path) -> tuple[str, ...]:
    from probe.report import audio_file  # noqa: PLC0415 - `--help` stays quick

    try:
        audio_file.check_writable(wav)
    except OSError as error:
        return (f"--save-audio: {wav} can't be written: {error.strerror}",)
    return ()


def save_audio(record: RunRecord, wav: Path) -> None:
    """Write the run's audio and say where it is."""
    from probe.report import audio_file  # noqa: PLC0415 - `--help` stays quick

    try:
        size = audio_file.save(record, wav)
    except OSError as error:
        say(f"probe run: {wav} could not be written: {error.strerror}", err=True)
        raise SystemExit(EXIT_CODES["failed"]) from error
    say(f"Audio saved to {wav} ({size} bytes of PCM)" if size else f"No audio to save to {wav}", err=True)


def conclude(record: RunRecord) -> int:
    """Say on stderr what went wrong, if anything, and return the exit code."""
    from probe.measures import outcome  # noqa: PLC0415 - `--help` stays quick

    if record.failure is not None:
        say(f"probe run: failed ({record.failure.stage}, {record.failure.reason}): {record.failure.detail}", err=True)
    elif record.skipped is not None:
        say(f"probe run: skipped: {record.skipped}; try again when the server's users are done", err=True)
    return EXIT_CODES[outcome(record)]
