"""What `probe serve tts` says to bad input: one line, exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe import extras
from probe.cli import main


def complaint(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["serve", "tts", *arguments])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Hide the engines' packages."""
    known = ("aiohttp", "numpy", "soxr", "probe")
    monkeypatch.setattr(
        "probe.reference.speech_choice.find_spec", lambda name: object() if name.split(".")[0] in known else None
    )
    return monkeypatch


@pytest.mark.parametrize(("engine", "extra"), [("hibari", "reference"), ("piper", "piper"), ("magpie", "magpie")])
@pytest.mark.usefixtures("missing")
def test_a_missing_engine_names_the_extra_to_install(engine: str, extra: str) -> None:
    assert f"; this installs it: `{extras.install(extra)}`" in complaint("--engine", engine)


@pytest.mark.parametrize("rate", ["0", "7999", "48001", "fast"])
def test_a_bad_sample_rate(rate: str) -> None:
    assert "--sample-rate" in complaint("--sample-rate", rate)


def test_piper_without_a_voice() -> None:
    assert "--piper-voice FILE.onnx" in complaint("--engine", "piper")


def test_a_voice_file_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in complaint("--engine", "piper", "--piper-voice", str(tmp_path / "no.onnx"))


@pytest.mark.parametrize("description", [None, "{}", "[]", "not json", '{"espeak": 3}'])
def test_a_voice_file_without_its_description(tmp_path: Path, description: str | None) -> None:
    voice = tmp_path / "voice.onnx"
    voice.touch()
    if description is not None:
        (tmp_path / "voice.onnx.json").write_text(description)
    assert "voice.onnx.json" in complaint("--engine", "piper", "--piper-voice", str(voice))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--magpie-model", "no.nemo"], "there is no file no.nemo"),
        (["--magpie-speakers", "john,sofia"], "must name each of john, sofia, aria, jason, leo once"),
    ],
)
def test_bad_magpie_options(monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.setattr("probe.reference.speech_choice.find_spec", lambda _: object())
    assert message in complaint("--engine", "magpie", *arguments)


def test_help_names_every_engine_and_imports_none() -> None:
    heavy = "{'hibari', 'piper', 'aiohttp', 'numpy'}"
    program = f"import atexit, sys; atexit.register(lambda: print({heavy} & set(sys.modules)));"
    program += "from probe.cli import main; main(['serve', 'tts', '--help'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert all(engine in done.stdout for engine in ("hibari", "piper", "magpie"))
    assert done.stdout.endswith("set()\n")
