"""`probe report`: a run, or a span of time, as one HTML file that loads nothing."""

import base64
import io
import time
from pathlib import Path

import click

from probe import config
from probe.audio import write_wav_into
from probe.cli import page_file, report_period
from probe.cli.output import say
from probe.cli.state import open_history, run_named, state_dir_option
from probe.cli.time_option import MOMENT
from probe.cli.usage import UsageProblem
from probe.record import RunRecord
from probe.report import audio_peaks
from probe.report.html import environment, period_page, picture_file, run_page
from probe.report.html.figures import moment
from probe.report.wordless import without_words


@click.command(short_help="A run, or the last days, as one HTML file.")
@click.argument("run_id", required=False)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="Where it is written, FILE.html or FILE.svg; - is standard output. A page with words is for its owner alone.",
)  # fmt: skip
@click.option("--since", type=MOMENT, metavar="AGE|DATE", help="In place of RUN_ID: all runs since then, such as 7d.")
@click.option("--target", help="With --since: only this target.")
@click.option("--audio", is_flag=True, help="Put the run's audio into the file, where the daemon has kept it.")
@click.option("--no-texts", is_flag=True, help="Leave out every word that was asked, answered, or said by a server.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), metavar="FILE",
    help="Configuration file, which says where audio is kept, and what drift is.",
)  # fmt: skip
@state_dir_option
def report(
    run_id: str | None,
    output: Path,
    since: int | None,
    target: str | None,
    config_path: Path | None,
    state_dir: Path,
    *,
    audio: bool,
    no_texts: bool,
) -> None:
    if (run_id is None) == (since is None):
        raise click.UsageError("name a run (`last` is the last one), or a span of time with --since")
    if target is not None and since is None:
        raise click.UsageError("--target goes with --since: a run has its own")
    if audio and (no_texts or since is not None):
        raise click.UsageError("--audio goes with a single run, and not with --no-texts: what is heard are the words")
    drawn = output.suffix == ".svg"
    if drawn and (audio or since is not None):
        raise click.UsageError("an SVG file is the picture of a run, without its audio")
    page_file.check(output, page_file.PICTURE if drawn else page_file.PAGE)
    if since is not None:
        page = _page_since(since, target, config_path, state_dir)
    else:
        folder = _audio_folder(config_path) if audio else None
        with open_history(state_dir) as reader:
            record = run_named(reader, run_id or "")
        sounds = run_page.NO_SOUNDS if folder is None else _sounds(record, folder)
        page = _picture(record) if drawn else page_of(without_words(record) if no_texts else record, sounds)
    mode = page_file.PUBLIC if no_texts or drawn else page_file.PRIVATE
    try:
        page_file.write(output, page, mode)
    except OSError as error:
        raise click.ClickException(f"{output} could not be written: {error.strerror}") from error


report.help = """Write the page of a recorded run as one HTML file, for a mail or an issue: it loads and runs nothing.

RUN_ID is what `probe show` takes: the beginning or end of an id, or `last`. Where FILE ends in .svg it is the run's
waterfall alone, as a picture without words.

\b
Examples:
  probe report last -o run.html
  probe report last --no-texts -o - > run.html
  probe report 43287d --audio --config probe.toml \\
               -o run.html
  probe report last -o waterfall.svg
  probe report --since 7d -o week.html
"""


def _picture(record: RunRecord) -> str:
    try:
        return picture_file.svg(record)
    except ValueError as error:
        raise UsageProblem(str(error)) from error


def _page_since(since: int, target: str | None, config_path: Path | None, state_dir: Path) -> str:
    until = time.time_ns()
    settings = _settings(config_path).drift
    with open_history(state_dir) as reader:
        found = [*report_period.series(reader, since, until, target, settings)]
    if target is not None and not found:
        raise UsageProblem(f"no run of target {target!r} in this time in {state_dir}")
    body = period_page.fragment(found, since, until)
    return environment.standalone(period_page.title(since, until), body, moment(until))


def page_of(record: RunRecord, sounds: run_page.Sounds = run_page.NO_SOUNDS) -> str:
    """The run's page as a whole file."""
    now = time.time_ns()
    return environment.standalone(run_page.title(record), run_page.fragment(record, now, sounds), moment(now))


def _settings(config_path: Path | None) -> config.Config:
    try:
        return config.load(config_path)
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error


def _audio_folder(config_path: Path | None) -> Path:
    folder = _settings(config_path).daemon.audio_dir
    if folder is None:
        raise UsageProblem("no audio is kept: daemon.audio_dir is not set; --config names the daemon's configuration")
    return folder


def _sounds(record: RunRecord, folder: Path) -> run_page.Sounds:
    path = folder / f"{record.plan.run_id}.wav"
    try:
        segments = audio_peaks.segments(record, path)
    except OSError as error:
        raise UsageProblem(f"no audio of this run: {path}: {error.strerror or error}") from error
    if not segments:
        say(f"probe report: {path} is not what the record says, and is left out", err=True)
    return {
        (each.turn_num, each.chunk_num): audio_peaks.sound(each, _embedded(each.pcm, each.sample_rate))
        for each in segments
    }


def _embedded(pcm: bytes, sample_rate: int) -> str:
    wav = io.BytesIO()
    write_wav_into(wav, pcm, sample_rate)
    return f"data:audio/wav;base64,{base64.b64encode(wav.getvalue()).decode()}"
