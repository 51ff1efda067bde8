"""`probe completion`, and what a shell is answered."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from probe.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_PROBE_COMPLETE={shell}_complete" in result.stdout


def test_another_shell_is_bad_usage() -> None:
    result = CliRunner().invoke(main, ["completion", "dash"])
    assert (result.exit_code, "'dash' is not one of" in result.stderr) == (2, True)
    for arguments in (["completion"], ["completion", "dash"], ["export"]):
        assert CliRunner().invoke(main, arguments).stderr.count("\n") == 1, "one line, for any number of choices"


def completed(words: str) -> list[str]:
    asked = {"_PROBE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    command = [sys.executable, "-X", "importtime", "-m", "probe"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True, timeout=60)
    assert "probe.cli.drift" not in done.stderr, "names need no import of what they name"
    return done.stdout.split()


def test_subcommands_and_options_are_completed() -> None:
    assert completed("probe co") == ["plain,compare", "plain,completion"]
    assert completed("probe serve t") == ["plain,tts"]
    assert "plain,--objective" in completed("probe run --o")
