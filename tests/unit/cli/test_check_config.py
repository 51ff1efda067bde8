"""`probe check-config`: what it warns of, and what it shows."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from runs import record, skipped

from probe import typed_json
from probe.cli import main
from probe.cli.options import plan_from_options
from probe.history.writer import History
from probe.reference.faults import audio, speech


def wav(pcm: bytes) -> bytes:
    """A file with these samples."""
    return speech.wav_header(audio.RATE, size=len(pcm)) + pcm


@pytest.fixture(autouse=True)
def _no_history_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "nowhere"))


def check(path: Path, text: str, *arguments: str) -> Result:
    path.write_text(text)
    return CliRunner().invoke(main, ["check-config", str(path), *arguments])


def test_a_warning_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    text = "[targets.a.limits]\nllm_s = 200"
    result = check(path, text)
    good = f"{path}: good (targets: a; scenarios: default; schedules: default)"
    assert (result.exit_code, " ".join(result.stdout.split())) == (0, good)
    warning = "targets.a.limits.llm_s (200) is over run_s (120), which ends the run before"
    assert result.stderr == f"{path}: warning: {warning}\n"
    assert json.loads(check(path, text, "--json").stdout)["warnings"] == [warning]


def test_the_servers_that_belong_to_no_target_are_asked_too(tmp_path: Path) -> None:
    """A wrong one was known of when the first run needed it."""
    tables = ("targets.a.tts", "targets.b.tts", "user_speech", "targets.b.user_speech", "intelligibility.stt")
    text = "\n".join(f'[{table}]\nurl = "tcp://127.0.0.1:{port}"' for port, table in enumerate(tables, 1))
    result = check(tmp_path / "probe.toml", text, "--probe")
    assert result.exit_code == 1
    for port, name in ((3, "user_speech tts"), (4, "b user_speech tts"), (5, "intelligibility stt")):
        url = f"tcp://127.0.0.1:{port}"
        assert f"\n{name} (wyoming, {url}): {url}: connection refused" in result.stdout
    assert "a user_speech" not in result.stdout


def test_without_a_history_nothing_is_known_of_how_long_runs_take(tmp_path: Path) -> None:
    text = f'[daemon]\nstate_dir = "{tmp_path}/none"\n[schedules.s]\nevery_s = 1'
    assert check(tmp_path / "probe.toml", text).stderr == ""


def test_a_schedule_that_its_runs_do_not_fit_into_is_a_warning(tmp_path: Path) -> None:
    with closing(History(tmp_path)) as history:
        for number in range(3):
            history.append(record(number, ttfb_ms=3000))
        history.append(skipped(9))
    text = f'[daemon]\nstate_dir = "{tmp_path}"\n[schedules."a b"]\nevery_s = '
    path = tmp_path / "probe.toml"
    assert check(path, text + "3").stderr == (
        f'{path}: warning: schedules."a b".every_s (3) is less than its last runs took (3 s)\n'
    )
    assert check(path, text + "4").stderr == ""


def test_show_prints_what_is_in_effect_and_nothing_else_on_stdout(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    result = check(path, "[targets.a]\nvoice = 'leo'", "--show")
    assert result.exit_code == 0
    assert 'voice = "leo"' in result.stdout and "[self_check]\nmax_lag_ms = 20.0" in result.stdout
    assert "good" not in result.stdout
    document = json.loads(check(path, "[targets.a]\nvoice = 'leo'", "--show", "--json").stdout)
    assert document["settings"]["targets"]["a"]["tts"]["voice"] == "leo"
    assert document["settings"]["history"]["keep_days"] == 90


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        (None, "No such file or directory"),
        (b"", "not a WAV file"),
        (b"OggS" + bytes(100), "not a WAV file"),
        (wav(b""), "there are no samples in it"),
        (wav(bytes(32_000)), "nothing in it can be heard"),
        (wav(audio.hiss(300, -60)), "nothing in it can be heard"),
        (wav(audio.tone(200))[:30], "a WAV file without a format or without samples"),
        (wav(audio.tone(200)).replace(b"\x01\0\x01\0", b"\x55\0\x01\0", 1), "a WAV file of a kind that is not read"),
    ],
    ids=["missing", "empty file", "no WAV", "no samples", "silence", "quiet hiss", "cut header", "MP3 in a WAV file"],
)
def test_a_recording_that_can_not_be_played_is_an_error_before_anything_is_measured(
    tmp_path: Path, recording: bytes | None, why: str
) -> None:
    """With its line, its key, its file and what is allowed: the same for check-config, run and daemon."""
    path, said = tmp_path / "probe.toml", tmp_path / "said.wav"
    if recording is not None:
        said.write_bytes(recording)
    text = (
        f'[targets.a.stt]\nurl = "tcp://127.0.0.1:9"\n[scenarios.table]\nuser_turns = ["A table."]\n'
        f'user_audio = ["said.wav"]\n[daemon]\nstate_dir = "{tmp_path}/state"\n'
    )
    checked = check(path, text)
    wrong = f"{path}:5: scenarios.table.user_audio.0: {said}: {why}"
    for result in (
        checked,
        CliRunner().invoke(main, ["run", "--config", str(path)]),
        CliRunner().invoke(main, ["daemon", "--config", str(path)]),
    ):
        assert result.exit_code == 2
        assert wrong in result.stderr
        assert "allowed is a WAV file with speech in it, of at most 2 minutes" in result.stderr
        assert len(result.stderr.splitlines()) == 1, "and nothing else"
    (error,) = json.loads(check(path, text, "--json").stdout)["errors"]
    assert (error["key"], error["value"]) == ("scenarios.table.user_audio.0", str(said))
    assert not (tmp_path / "state").exists()


def test_recordings_that_a_run_does_not_last_for_are_a_warning(tmp_path: Path) -> None:
    """Each such run fails, as if the STT server were slow."""
    path = tmp_path / "probe.toml"
    (tmp_path / "said.wav").write_bytes(wav(audio.tone(3000)))
    text = '[scenarios.table]\nuser_turns = ["A table.", "For two."]\nuser_audio = ["said.wav", "said.wav"]\n'
    limits, stt = "[targets.a.limits]\nrun_s = {}\n", '[targets.a.stt]\nurl = "tcp://127.0.0.1:9"\n'
    why = "scenarios.table.user_audio lasts 6 s, and targets.a.limits.run_s is 5"
    assert why in check(path, text + limits.format(5) + stt).stderr
    assert "lasts" not in check(path, text + limits.format(6) + stt).stderr
    assert "lasts" not in check(path, text + limits.format(5)).stderr, "it is asked in text"


def test_a_target_that_is_asked_in_text_plays_no_recording(tmp_path: Path) -> None:
    plan, _ = plan_from_options(_unheard(tmp_path), None)
    assert plan.scenario.user_audio == (f"{tmp_path}/none.wav",)


def test_what_a_run_has_spoken_is_kept_in_the_configured_state_directory(tmp_path: Path) -> None:
    """It was the usual one, where the daemon does not look."""
    path = _unheard(tmp_path)
    path.write_text(path.read_text() + f'[daemon]\nstate_dir = "{tmp_path}/state"\n')
    plan, _ = plan_from_options(path, None)
    assert plan.speech_dir == tmp_path / "state" / "user_audio"
    assert "speech_dir" not in typed_json.plain(plan)


def _unheard(folder: Path) -> Path:
    path = folder / "probe.toml"
    path.write_text('[scenarios.s]\nuser_turns = ["A table."]\nuser_audio = ["none.wav"]\n')
    return path
