"""What makes two runs comparable, and what does not."""

from dataclasses import replace
from typing import Any

import pytest
from runs import record
from targets import with_server

from probe.drift.fingerprint import fingerprint
from probe.plan import Pause, ServerPlan
from probe.protocols.llama_chunked import llama_server
from probe.record import RunRecord, ServerIdentity


def with_target(**changes: Any) -> RunRecord:
    plan = record().plan
    return replace(record(), plan=replace(plan, target=replace(plan.target, **changes)))


def with_llm(**changes: Any) -> RunRecord:
    return with_target(servers=with_server(record().plan.target, "llm", **changes).servers)


def with_tts(**changes: Any) -> RunRecord:
    return with_target(servers=with_server(record().plan.target, "tts", **changes).servers)


def with_limits(**changes: Any) -> RunRecord:
    return with_target(limits=replace(record().plan.target.limits, **changes))


def with_scenario(**changes: Any) -> RunRecord:
    plan = record().plan
    return replace(record(), plan=replace(plan, scenario=replace(plan.scenario, **changes)))


@pytest.mark.parametrize(
    "other",
    [
        replace(record(), served=ServerIdentity("large.gguf")),
        replace(record(), served=ServerIdentity(None, "b2")),
        with_tts(voice="leo"),
        with_tts(language="de"),
        with_tts(mode="stream"),
        with_llm(url="ws://elsewhere:8002/ws"),
        with_tts(gap_ms=200.0),
        with_scenario(system_prompt="Be long."),
        with_scenario(first_pause=Pause(max_tokens=20)),
        with_scenario(prompt_cache="reused"),
    ],
)
def test_what_moves_a_latency_makes_another_baseline(other: RunRecord) -> None:
    assert fingerprint(other) != fingerprint(record())


@pytest.mark.parametrize(
    "other",
    [
        record(2, ttfb_ms=900, target="spark", scenario="joke"),
        with_target(objective_ms=800.0),
        with_target(objective_measure="response_ttfa"),
        with_llm(llama_url="http://localhost:8000"),
        with_limits(run_s=60.0, llm_s=5.0),
    ],
)
def test_what_moves_none_does_not(other: RunRecord) -> None:
    assert fingerprint(other) == fingerprint(record())


def openai_like(**changes: Any) -> RunRecord:
    """A pair of servers that are asked for a model and a voice; `changes` are by role and option."""
    options: dict[str, dict[str, Any]] = {
        "llm": {"model": "small", "extra_body": {"think": False}},
        "tts": {"model": "kokoro", "voice": "af_heart"},
    }
    servers: dict[Any, ServerPlan] = {
        role: _openai_server({"protocol": f"openai_{role}", **values, **changes.get(role, {})})
        for role, values in options.items()
    }
    return with_target(servers=servers)


def _openai_server(values: dict[str, Any]) -> ServerPlan:
    return ServerPlan(values.pop("protocol"), "http://localhost:8080/v1", values)


@pytest.mark.parametrize(
    "other",
    [
        openai_like(llm={"model": "large"}),
        openai_like(llm={"extra_body": {"think": True}}),
        openai_like(tts={"model": "tts-1"}),
        openai_like(tts={"voice": "af_sky"}),
        openai_like(tts={"response_format": "wav"}),
        openai_like(llm={"protocol": "ollama"}),
    ],
)
def test_the_model_and_the_protocol_make_another_baseline(other: RunRecord) -> None:
    assert fingerprint(other) != fingerprint(openai_like())
    assert fingerprint(other).config != fingerprint(openai_like()).config


def test_what_is_asked_beside_the_measures_of_any_protocol_does_not() -> None:
    assert fingerprint(openai_like(llm={"llama_url": "http://localhost:8081"})) == fingerprint(openai_like())
    servers = {
        role: replace(server, headers={"authorization": "another key"})
        for role, server in openai_like().plan.target.servers.items()
    }
    assert fingerprint(with_target(servers=servers)) == fingerprint(openai_like())


def test_the_labels_are_what_the_llm_server_says_and_what_the_tts_server_is_asked_for() -> None:
    said = fingerprint(replace(openai_like(), served=ServerIdentity("small-Q4.gguf", "b1")))
    assert (said.llm, said.tts) == ("small-Q4.gguf b1", "kokoro af_heart")
    assert fingerprint(openai_like()).llm == ""


@pytest.mark.parametrize(
    ("document", "identity"),
    [
        (b'{"model_alias": "/models/small.gguf", "build_info": "b1-abc"}', ServerIdentity("small.gguf", "b1-abc")),
        (b'{"model_path": "/models/small.gguf"}', ServerIdentity("small.gguf")),
        (b'{"model_alias": "", "model_path": 3, "build_info": " "}', ServerIdentity()),
        (b"[]", ServerIdentity()),
        (b"", ServerIdentity()),
        (b"<html>", ServerIdentity()),
    ],
)
def test_what_llama_cpp_says_of_itself(document: bytes, identity: ServerIdentity) -> None:
    assert llama_server.served(document) == identity


def test_where_llama_cpp_says_it() -> None:
    assert llama_server.props_url("http://spark:8000/") == "http://spark:8000/props"


def test_a_secret_in_a_url_is_not_stored_and_a_run_is_of_the_same_configuration_before_and_after() -> None:
    target = with_server(record().plan.target, "llm", url="ws://someone:hunter2@host:8001/ws?token=tok9")
    run = replace(record(), plan=replace(record().plan, target=target))
    stored = run.to_json()
    assert "ws://host:8001/ws" in stored and not any(secret in stored for secret in ("someone", "hunter2", "tok9"))
    assert fingerprint(RunRecord.from_json(stored)) == fingerprint(run)
