"""`probe report`: a run, or a span of time, as a file."""

import io
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from runs import MS, START, failed, record, skipped

from probe.audio import write_wav
from probe.cli import live_run, main, page_file
from probe.cli.counting import counted
from probe.history.writer import History

MINUTE = 60 * 10**9
LONG_AGO = "2023-11-01"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    with closing(History(folder)) as history:
        for number in range(1, 9):
            history.append(record(number, started=START + number * MINUTE, ttfb_ms=100 * number))
        history.append(failed(9, started=START + 9 * MINUTE, target="spark"))
        history.append(skipped(10))
    return folder


@pytest.fixture
def state_dir(kept: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy, which a daemon has open."""
    with closing(History(shutil.copytree(kept, tmp_path / "state"))):
        yield tmp_path / "state"


def probe(state_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments), "--state-dir", str(state_dir)])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_run_is_a_file_for_its_owner_alone(state_dir: Path, tmp_path: Path) -> None:
    result = probe(state_dir, "000003", "-o", tmp_path / "run.html")
    assert (result.exit_code, result.output) == (0, "")
    page = (tmp_path / "run.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and "20231114T221320Z-000003" in page and "Why did the unicorn" in page
    assert mode(tmp_path / "run.html") == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["run.html"], "nothing else is left"


def test_a_page_takes_the_place_of_what_was_there(state_dir: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.write_text("old", "utf-8")
    page.chmod(0o644)
    assert probe(state_dir, "last", "-o", page).exit_code == 0
    assert mode(page) == 0o600 and "skipped" in page.read_text("utf-8")


def test_a_page_without_texts_is_for_everybody(state_dir: Path, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        assert probe(state_dir, "000009", "--no-texts", "-o", tmp_path / "run.html").exit_code == 0
    finally:
        os.umask(mask)
    page = (tmp_path / "run.html").read_text("utf-8")
    assert mode(tmp_path / "run.html") == 0o644
    assert not [word for word in ("unicorn", "cross the road", "joke", "Be brief", "can&#39;t say") if word in page]


def test_standard_output_has_the_page_and_nothing_else(state_dir: Path) -> None:
    result = probe(state_dir, "last", "-o", "-")
    assert result.exit_code == 0 and result.stdout.startswith("<!doctype html>") and result.stdout.endswith("</html>")


def test_a_picture_is_the_waterfall_alone(state_dir: Path, tmp_path: Path) -> None:
    assert probe(state_dir, "000003", "-o", tmp_path / "run.svg").exit_code == 0
    picture = (tmp_path / "run.svg").read_text("utf-8")
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "unicorn" not in picture
    assert "LLM 100 + TTS 200 ms" in picture and "prefers-color-scheme" in picture


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "-o", "x.html"], "no run 'nobody' in"),
        (["2023", "-o", "x.html"], "more than one run begins or ends with '2023'"),
        (["-o", "x.html"], "name a run"),
        (["last", "--since", "7d", "-o", "x.html"], "name a run"),
        (["last", "--target", "spark", "-o", "x.html"], "--target goes with --since"),
        (["last", "--audio", "--no-texts", "-o", "x.html"], "--audio goes with a single run, and not with --no-texts"),
        (["--since", "7d", "--audio", "-o", "x.html"], "--audio goes with a single run"),
        (["last", "--audio", "-o", "x.html"], "no audio is kept: daemon.audio_dir is not set"),
        (["last", "-o", "no/such/x.html"], "no/such/x.html can't be written: there is no folder no/such"),
        (["last", "-o", "."], ". can't be written: it is a folder"),
        (["last", "-o", "x.pdf"], "x.pdf: a page is written as HTML; its name ends in .html"),
        (["last", "-o", "x.svg"], "nothing of this run has a time"),
        (["--since", "7d", "-o", "x.svg"], "an SVG file is the picture of a run"),
        (["--since", "1h", "--target", "nobody", "-o", "x.html"], "no run of target 'nobody' in this time"),
        (["last"], "Missing option"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], message: str, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = probe(state_dir, *arguments)
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_without_a_history_it_says_so_as_show_does(tmp_path: Path) -> None:
    result = probe(tmp_path / "nowhere", "last", "-o", tmp_path / "run.html")
    assert result.exit_code == 2 and "there is no history in" in result.stderr


def test_a_page_that_could_not_be_written_is_a_failure(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_file, "write", full)
    result = probe(state_dir, "last", "-o", tmp_path / "run.html")
    assert (result.exit_code, "could not be written: No space left on device" in result.stderr) == (1, True)


def test_a_link_that_leads_to_itself_is_said_before_anything_is_made(state_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "run.html").symlink_to("run.html")
    result = probe(state_dir, "last", "-o", tmp_path / "run.html")
    assert (result.exit_code, "a link that leads to itself" in result.stderr) == (2, True)


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 250}.html"
    page_file.write(path, "a page", page_file.PRIVATE)
    assert [path] == [*tmp_path.iterdir()] and path.read_text("utf-8") == "a page"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text("utf-8")))
    reader.start()
    page_file.write(tmp_path / "pipe", "a page", page_file.PRIVATE)
    reader.join(30)
    assert read == ["a page"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_audio_is_in_the_page_where_it_was_kept(state_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "probe.toml"
    config.write_text(f'[daemon]\naudio_dir = "{tmp_path}/audio"\n', "utf-8")
    (tmp_path / "audio").mkdir()
    wav, page = tmp_path / "audio" / "20231114T221320Z-000003.wav", tmp_path / "run.html"
    arguments = ("000003", "--audio", "--config", config, "-o", page)
    missing = probe(state_dir, *arguments)
    assert missing.exit_code == 2 and "no audio of this run" in missing.stderr
    write_wav(wav, b"\x00\x20" * 44_000, 22_000)
    assert probe(state_dir, *arguments).exit_code == 0
    assert len(re.findall(r'<audio [^>]* src="data:audio/wav;base64,[\w+/=]+"', page.read_text("utf-8"))) == 2
    write_wav(wav, b"\x00\x20" * 100, 22_000)
    other = probe(state_dir, *arguments)
    assert other.exit_code == 0 and "is not what the record says" in other.stderr
    assert "<audio" not in page.read_text("utf-8")


def test_a_span_of_time_has_each_target(state_dir: Path, tmp_path: Path) -> None:
    assert probe(state_dir, "--since", LONG_AGO, "-o", tmp_path / "week.html").exit_code == 0
    page = (tmp_path / "week.html").read_text("utf-8")
    assert "local, default" in page and "spark, default" in page and "8 ok, 0 slow, 0 failed" in page
    assert "no_audio" in page and mode(tmp_path / "week.html") == 0o600
    assert probe(state_dir, "--since", LONG_AGO, "--target", "spark", "-o", tmp_path / "week.html").exit_code == 0
    assert "local, default" not in (tmp_path / "week.html").read_text("utf-8")
    assert probe(state_dir, "--since", "1h", "-o", tmp_path / "week.html").exit_code == 0
    assert "No run in this time" in (tmp_path / "week.html").read_text("utf-8")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_takes_long_says_how_far_it_is() -> None:
    out, clock = io.StringIO(), iter(range(100))
    assert [*counted(range(1000), "runs", out, lambda: next(clock) * 6.0)] == [*range(1000)]
    assert out.getvalue() == "runs: 200\nruns: 600\nruns: 1000\n"
    terminal, clock = Terminal(), iter(range(100))
    assert len([*counted(range(450), "runs", terminal, lambda: float(next(clock)))]) == 450
    assert terminal.getvalue() == "\rruns: 200\x1b[K\rruns: 400\x1b[K\r\x1b[K"


def test_what_is_over_soon_says_nothing() -> None:
    out = Terminal()
    assert len([*counted(range(1000), "runs", out, lambda: 0.0)]) == 1000
    assert out.getvalue() == ""


def test_probe_run_writes_the_page_of_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record()
    run = replace(run, ended=run.ended + MS)
    live_run.save_page(run, tmp_path / "run.html")
    assert f"Page written to {tmp_path / 'run.html'}" in capsys.readouterr().err
    assert mode(tmp_path / "run.html") == 0o600 and run.plan.run_id in (tmp_path / "run.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("-", "--report: standard output has the run's report; name a file"),
        ("no/such/run.html", "--report: no/such/run.html can't be written: there is no folder no/such"),
    ],
)
def test_probe_run_says_before_the_run_that_it_can_t(page: str, message: str) -> None:
    result = CliRunner().invoke(main, ["run", "--report", page])
    assert (result.exit_code, message in result.stderr) == (2, True)


def test_probe_run_fails_where_the_page_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_file, "write", full)
    with pytest.raises(SystemExit) as ended:
        live_run.save_page(record(), tmp_path / "run.html")
    assert ended.value.code == 1 and "No space left" in capsys.readouterr().err
