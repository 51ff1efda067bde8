"""Commands in hints are what this user types."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli import main, typed


@pytest.mark.parametrize(
    ("program", "original", "called"),
    [
        ("/usr/bin/probe", ["/usr/bin/python3", "/usr/bin/probe", "run"], "probe"),
        (".venv/bin/probe", [".venv/bin/python", ".venv/bin/probe", "run"], ".venv/bin/probe"),
        ("./probe", ["python3", "./probe"], "./probe"),
        ("/opt/my venv/bin/probe", ["python3", "/opt/my venv/bin/probe"], "'/opt/my venv/bin/probe'"),
        ("/src/probe/__main__.py", ["/usr/bin/python", "-m", "probe", "run"], "python -m probe"),
        ("/src/probe/__main__.py", ["venv/bin/python", "-X", "dev", "-m", "probe"], "venv/bin/python -X dev -m probe"),
        ("/usr/bin/probe", ["python3", "/usr/bin/probe", "run", "--prompt", "-m", "probe"], "probe"),
        ("/usr/bin/pytest", ["python3", "/usr/bin/pytest"], "probe"),
    ],
)
def test_what_was_typed(monkeypatch: pytest.MonkeyPatch, program: str, original: list[str], called: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert typed._called(program, original) == called


def test_what_is_not_found_by_its_name_keeps_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert typed._called("/opt/bin/probe", ["python3", "/opt/bin/probe"]) == "/opt/bin/probe"


@pytest.mark.parametrize("arguments", [["rnu"], ["show", "1", "--state-dir", "/nowhere"]])
def test_a_hint_in_an_error_can_be_typed(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/probe"])
    monkeypatch.setattr(sys, "orig_argv", ["python", ".venv/bin/probe"])
    error = CliRunner().invoke(main, arguments).stderr
    assert error.startswith("probe: ") and "`.venv/bin/probe " in error and "`probe" not in error


def test_nobody_prints_a_command_to_be_typed_by_its_bare_name() -> None:
    """But for help and what it is made of, which is about every installation."""
    sources = Path(typed.__file__).parent
    lines = [
        (path.name, line)
        for path in sources.glob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.lstrip().startswith(("say(", "echo(", "click.echo(")) and "  probe " in line
    ]
    assert lines == []
