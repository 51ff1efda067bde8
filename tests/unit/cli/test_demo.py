"""`probe demo`: which servers it shows, and what it has the daemon measure. No process is started."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import runs
from click.testing import CliRunner
from msgspec import structs

from probe import config
from probe.cli import demo, demo_voice, main, reference_servers
from probe.cli.reference_servers import PAIRS, SHOWN_BY, VOICE, ReferencePair
from probe.cli.serve import SERVERS
from probe.protocols.registry import PROTOCOLS


def test_each_pair_is_made_of_reference_servers_that_there_are() -> None:
    for pair in PAIRS.values():
        assert set(pair) <= set(PROTOCOLS)
        assert set(pair.values()) <= set(SERVERS) & set(reference_servers._SERVERS)
    assert set(SHOWN_BY.values()) <= set(PAIRS)


def test_each_protocol_with_a_reference_server_is_shown_by_its_name() -> None:
    """The others have none: Ollama, NVIDIA's NIM, vLLM-Omni, and servers that hear."""
    known = {name for protocols in PROTOCOLS.values() for name in protocols}
    assert known - {*PAIRS, *SHOWN_BY} == {
        "ollama", "riva_http", "nim_realtime", "vllm_speech", "openai_transcriptions",
    }  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_what_the_daemon_is_told_is_right(tmp_path: Path, name: str) -> None:
    urls = {role: reference_servers._SERVERS[server].url.format(1234) for role, server in PAIRS[name].items()}
    path = demo._write_config({name: ReferencePair(urls)}, 9850, tmp_path)
    settings = config.load(path)
    assert {role: server.url for role, server in settings.targets[name].servers.items()} == urls
    assert tomllib.loads(path.read_text())["schedules"] == {name: {"target": name, "every_s": demo.INTERVAL_S}}


def test_an_unknown_protocol_is_refused_with_those_that_there_are() -> None:
    result = CliRunner().invoke(main, ["demo", "--protocol", "sip"])
    assert result.exit_code == 2
    assert "'wyoming'" in result.stderr


def test_the_one_that_is_asked_by_voice_has_something_said_to_it(tmp_path: Path) -> None:
    urls: dict[Any, str] = {"llm": "http://127.0.0.1:1/v1", "tts": "tcp://127.0.0.1:2", "stt": "tcp://127.0.0.1:2"}
    settings = config.load(demo._write_config({VOICE: ReferencePair(urls)}, 9850, tmp_path))
    assert structs.asdict(settings.targets[VOICE].servers["stt"].options)["endpointing"] == "server"
    assert settings.targets[VOICE].objective_measure == "voice_to_voice"
    assert settings.scenarios[VOICE].user_turns == [demo_voice.QUESTION]


def test_the_whole_wait_is_explained_part_by_part() -> None:
    lines = [*demo_voice.explained([runs.record(1), runs.hearing(2), runs.misheard(3)], 100)]
    text = "\n".join(lines)
    assert "In run 1 a person would have waited 1200ms:" in lines
    starts = [line.split()[0] for line in lines if line.startswith("    ") and "ms" in line]
    assert starts == ["500ms", "300ms", "100ms", "200ms", "100ms"], "they are the whole wait"
    assert 'It understood "Tell me a choke" of "Tell me a joke.": 25% of the words wrong.' in lines
    assert "The longest part: the STT server waits for silence" in text
    rows = [line.split() for line in lines if line.startswith(("  1 ", "  2 "))]
    assert rows == [
        ["1", "ok", "1200ms", "500ms", "300ms", "100ms", "200ms", "100ms", "25%"],
        ["2", "failed", *["-"] * 7],
    ]


def test_where_nobody_was_heard_there_is_nothing_to_explain() -> None:
    assert [*demo_voice.explained([runs.record()], 100)] == []
    assert not any("would have waited" in line for line in demo_voice.explained([runs.misheard()], 100))


def test_without_a_recogniser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_voice, "find_spec", lambda _name: None)
    result = CliRunner().invoke(main, ["demo", "--voice"])
    assert result.exit_code == 2
    assert "pocketsphinx" in result.stderr and "[stt]" in result.stderr
