"""`probe report`: a run as one HTML file that loads nothing."""

import base64
import io
import time
from pathlib import Path

import click

from probe import config
from probe.audio import write_wav_into
from probe.cli import page_file
from probe.cli.output import say
from probe.cli.state import open_history, run_named, state_dir_option
from probe.cli.usage import UsageProblem
from probe.record import RunRecord
from probe.report import audio_peaks
from probe.report.html import environment, run_page
from probe.report.html.figures import moment
from probe.report.wordless import without_words


@click.command(short_help="A recorded run as one HTML file.")
@click.argument("run_id")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE.html",
    help="Where it is written; - is standard output. Where words are in it, nobody else may read it.",
)  # fmt: skip
@click.option("--audio", is_flag=True, help="Put the run's audio into the file, where the daemon has kept it.")
@click.option("--no-texts", is_flag=True, help="Leave out every word that was asked, answered, or said by a server.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), metavar="FILE",
    help="Configuration file, which says where audio is kept (daemon.audio_dir).",
)  # fmt: skip
@state_dir_option
def report(
    run_id: str,
    output: Path,
    config_path: Path | None,
    state_dir: Path,
    *,
    audio: bool,
    no_texts: bool,
) -> None:
    if audio and no_texts:
        raise click.UsageError("--audio and --no-texts exclude each other: what is heard are the words")
    page_file.check(output)
    folder = _audio_folder(config_path) if audio else None
    with open_history(state_dir) as reader:
        record = run_named(reader, run_id)
    mode = page_file.PUBLIC if no_texts else page_file.PRIVATE
    sounds = run_page.NO_SOUNDS if folder is None else _sounds(record, folder)
    page = page_of(without_words(record) if no_texts else record, sounds)
    try:
        page_file.write(output, page, mode)
    except OSError as error:
        raise click.ClickException(f"{output} could not be written: {error.strerror}") from error


report.help = """Write the page of a recorded run as one HTML file, for a mail or an issue: it loads and runs nothing.

RUN_ID is what `probe show` takes: the beginning or end of an id, or `last`.

\b
Examples:
  probe report last -o run.html
  probe report last --no-texts -o - > run.html
  probe report 43287d --audio --config probe.toml \\
               -o run.html
"""


def page_of(record: RunRecord, sounds: run_page.Sounds = run_page.NO_SOUNDS) -> str:
    """The run's page as a whole file."""
    now = time.time_ns()
    return environment.standalone(run_page.title(record), run_page.fragment(record, now, sounds), moment(now))


def _audio_folder(config_path: Path | None) -> Path:
    try:
        folder = config.load(config_path).daemon.audio_dir
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error
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
