"""The shell scripts, as shellcheck judges them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from debian import unpacked

ROOT = Path(__file__).parents[3]
SCRIPTS = ["deploy/install.sh", "deploy/systemd/probe", ".ci/run"]


@pytest.mark.timeout(400)
def test_they_are_clean(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    installed = shutil.which("shellcheck")
    checker = installed or unpacked(pytestconfig.cache.mkdir("shellcheck"), "shellcheck") / "usr" / "bin" / "shellcheck"
    command = [str(checker), "--external-sources", "--check-sourced", *SCRIPTS]
    judged = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (judged.returncode, judged.stdout) == (0, "")
