"""`probe run` on any pair of servers without a file: what the options mean, and what is wrong with them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import free_running
import pytest
from click.testing import CliRunner
from msgspec import Struct, structs
from records import record

from probe.cli import main
from probe.plan import Plan, ServerPlan
from probe.protocols import registry
from probe.record import RunRecord
from probe.report import terminal

LLM, TTS = "http://localhost:8080/v1", "http://localhost:8880/v1"
SECRET = "0123456789"  # noqa: S105 - a stand-in


class SpeechOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the made-up speech server takes."""

    model: str = "tts-1"
    voice: str = "alloy"


Run = Callable[..., Plan]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two protocols over HTTP beside those over WebSocket, and none else."""
    for name in os.environ:
        if name.startswith("PROBE_"):
            monkeypatch.delenv(name)
    speech = structs.replace(
        registry.TTS["magpie"], name="speech", schemes=("http", "https"), default_url=TTS, options=SpeechOptions
    )
    _only(monkeypatch, registry.LLM, "chunked", structs.replace(free_running.PROTOCOL, name="chat", default_url=LLM))
    _only(monkeypatch, registry.TTS, "magpie", speech)


def _only(monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], own: str, added: Any) -> None:
    # What is deleted last comes back first: their order, which says what a URL alone means, stays.
    for other in reversed([name for name in known if name != own]):
        monkeypatch.delitem(known, other)
    monkeypatch.setitem(known, added.name, added)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The plan that these arguments make; no run takes place."""
    plans: list[Plan] = []

    def execute(plan: Plan, max_lag_ms: float, live: Any) -> RunRecord:  # noqa: ARG001 - what it stands for
        plans.append(plan)
        return replace(record(), plan=plan)

    monkeypatch.setattr("probe.cli.live_run._execute", execute)

    def run(*arguments: str) -> Plan:
        result = CliRunner().invoke(main, ["run", *arguments])
        assert (result.exception, result.stderr) == (None, "") or isinstance(result.exception, SystemExit)
        assert SECRET not in result.output + result.stderr
        return plans.pop()

    return run


def refused(*arguments: str) -> list[str]:
    result = CliRunner().invoke(main, ["run", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert SECRET not in result.stderr
    return result.stderr.splitlines()


def test_two_urls_and_a_voice_are_enough(planned: Run) -> None:
    target = planned("--llm-url", LLM, "--tts-url", TTS, "--voice", "af_heart").target
    assert target.servers == {
        "llm": ServerPlan("chat", LLM, {}),
        "tts": ServerPlan("speech", TTS, {"model": "tts-1", "voice": "af_heart"}),
    }


def test_the_pairs_may_be_mixed(planned: Run) -> None:
    target = planned("--llm-url", LLM, "--model", "qwen3:8b", "--voice", "leo", "--language", "de").target
    assert target.servers["llm"] == ServerPlan("chat", LLM, {"model": "qwen3:8b"})
    assert (target.servers["tts"].protocol, target.option("tts", "language")) == ("magpie", "de")
    other = planned("--tts-url", TTS).target
    assert [other.servers[role].protocol for role in ("llm", "tts")] == ["chunked", "speech"]


def test_a_protocol_alone_comes_with_its_usual_url_or_the_configured_one(planned: Run, tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text('[targets.t.llm]\nurl = "ws://spark:8002/ws"\n')
    assert planned("--config", str(path), "--llm-protocol", "chunked").target.servers["llm"].url == "ws://spark:8002/ws"
    assert planned("--config", str(path), "--llm-protocol", "chat").target.servers["llm"].url == LLM
    target = planned("--llm-protocol", "chat", "--tts-protocol", "speech").target
    assert [(target.servers[role].protocol, target.servers[role].url) for role in ("llm", "tts")] == [
        ("chat", LLM), ("speech", TTS)
    ]  # fmt: skip
    assert planned("--llm-protocol", "chat", "--llm-url", "https://h/v1").target.servers["llm"].url == "https://h/v1"
    assert planned("--llm-protocol", "chunked").target.servers["llm"].url == "ws://localhost:8002/ws"


def test_an_agent_is_asked_for_the_model_and_the_voice(planned: Run, tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text('[targets.t.agent]\nurl = "ws://h/v1/realtime"\nvoice = "aria"\n')
    agent = planned("--config", str(path), "--model", "omni", "--voice", "leo").target.servers["agent"]
    assert (agent.options["model"], agent.options["voice"]) == ("omni", "leo")


def test_headers_are_sent_and_shown_nowhere(planned: Run, tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(f'[targets.t.llm]\nurl = "{LLM}"\nheaders = {{ Authorization = "file", x-kept = "file" }}\n')
    servers = planned(
        "--config", str(path), "--llm-header", f"authorization=Bearer {SECRET}=", "--llm-header", "x-a=b",
        "--tts-header", f"x-key={SECRET}", "--json",
    ).target.servers  # fmt: skip
    assert servers["llm"].headers == {"Authorization": f"Bearer {SECRET}=", "x-kept": "file", "x-a": "b"}
    assert servers["tts"].headers == {"x-key": SECRET}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--tts-url", TTS, "--language", "de"],
            "--language: nothing that this server takes; speech takes: protocol, url, headers, model, voice",
        ),
        (
            ["--model", "qwen3"],
            "--model: nothing that this server takes; chunked takes: protocol, url, headers, llama_url",
        ),
        (["--llm-protocol", "nope"], "--llm-protocol: 'nope' is unknown; one of: chat, chunked"),
        (
            ["--llm-protocol", "chunked", "--llm-url", LLM],
            f"--llm-url: {LLM!r} is not a WebSocket URL; expected ws://HOST:PORT/PATH or wss://HOST/PATH",
        ),
        (["--llm-header", SECRET], "--llm-header: should be NAME=VALUE, such as authorization='Bearer KEY'"),
        (["--tts-header", f"={SECRET}"], "--tts-header: should be NAME=VALUE, such as authorization='Bearer KEY'"),
        (["--llm-header", f"a b={SECRET}"], "--llm-header: the name of a header is letters, digits, - and _"),
        (["--llm-header", f"a={SECRET}\n"], "--llm-header: should be printable ASCII, on one line"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_is_expected(arguments: list[str], line: str) -> None:
    assert refused(*arguments) == [f"probe: {line}"]


def test_a_setting_that_does_not_go_with_the_options_is_named(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(f'[targets.t.llm]\nurl = "{LLM}"\nmodel = "qwen3"\n')
    assert refused("--config", str(path), "--llm-url", "ws://h/ws") == [
        "probe: targets.t.llm.model, with these options: unknown key; chunked takes: protocol, url, headers, llama_url"
    ]


def test_the_report_names_the_model_and_the_voice(planned: Run) -> None:
    plan = planned("--llm-url", LLM, "--model", "qwen3", "--tts-url", TTS, "--voice", "af_heart")
    assert "Target:   local (LLM qwen3, voice af_heart)" in list(terminal.header(plan, 80))
    unsaid = replace(plan, target=replace(plan.target, servers={}))
    assert "Target:   local" in list(terminal.header(unsaid, 80))
