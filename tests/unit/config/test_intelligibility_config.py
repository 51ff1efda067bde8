"""The table `[intelligibility]`: which recogniser transcribes whose answers, and how often."""

from pathlib import Path

import pytest

from probe import config
from probe.config import ConfigError, effective
from probe.config.intelligibility import IntelligibilityConfig

TARGETS = '[targets.a]\n[targets.b]\n[intelligibility]\ntargets = ["b"]\n'


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "probe.toml"
    path.write_text(text)
    return config.load(path)


def test_without_a_server_no_answer_is_transcribed(tmp_path: Path) -> None:
    chosen = load(tmp_path, TARGETS).intelligibility
    assert not chosen.wants("a") and not chosen.wants("b")


def test_the_server_is_like_that_of_a_target(tmp_path: Path) -> None:
    text = (
        TARGETS + '[intelligibility.stt]\nurl = "http://h:8000/v1"\nmodel = "tiny"\nheaders = {authorization = "x"}\n'
    )
    chosen = load(tmp_path, text).intelligibility
    assert chosen.wants("b") and not chosen.wants("a")
    assert chosen.stt is not None
    server = chosen.stt.record()
    assert (server.protocol, server.url, server.options["model"]) == (
        "openai_transcriptions",
        "http://h:8000/v1",
        "tiny",
    )
    assert server.headers == {"authorization": "x"}
    assert IntelligibilityConfig.of(**chosen.differences()) == chosen


def test_it_can_be_set_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_INTELLIGIBILITY__STT__URL", "tcp://localhost:10300")
    monkeypatch.setenv("PROBE_INTELLIGIBILITY__TARGETS", '["a"]')
    chosen = load(tmp_path, TARGETS).intelligibility
    assert chosen.wants("a") and not chosen.wants("b")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ('[intelligibility.stt]\nurl = "tcp://h:1"\nendpointing = "server"\n', "intelligibility.stt: finds the end"),
        ('[intelligibility.stt]\nurl = "tcp://h:1"\nvoice = "x"\n', "intelligibility.stt.voice: unknown key"),
        ("timeout_s = 0\n", "intelligibility.timeout_s"),
        ("every = 5\n", "intelligibility.every: unknown key; did you mean every_s?"),
        ("stt = 5\n", "intelligibility.stt: should be a table"),
    ],
)
def test_what_is_wrong_is_reported_with_its_key(tmp_path: Path, more: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error.replace("?", r"\?")):
        load(tmp_path, TARGETS + more)


def test_a_target_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"intelligibility.targets.0: no target 'c' is configured; one of: a, b"):
        load(tmp_path, TARGETS.replace('["b"]', '["c"]'))


def test_a_warning_where_there_is_no_room_between_runs(tmp_path: Path) -> None:
    text = TARGETS + 'timeout_s = 20\n[intelligibility.stt]\nurl = "tcp://h:1"\n[schedules.fast]\nevery_s = 15\n'
    (warning,) = effective.warnings(load(tmp_path, text))
    assert warning == "intelligibility.timeout_s (20) leaves no room between runs: schedules.fast.every_s is 15"
    assert [*effective.warnings(load(tmp_path, text.replace("every_s = 15", "every_s = 60")))] == []
    without = text.replace('[intelligibility.stt]\nurl = "tcp://h:1"\n', "")
    assert [*effective.warnings(load(tmp_path, without))] == []
