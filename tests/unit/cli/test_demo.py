"""`probe demo`: which servers it shows, and what it has the daemon measure. No process is started."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe import config
from probe.cli import demo, main, reference_servers
from probe.cli.reference_servers import PAIRS, SHOWN_BY, ReferencePair
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
