"""What makes two runs comparable, and what does not."""

from dataclasses import replace
from typing import Any

import pytest
from runs import record
from targets import with_server

from probe.drift.fingerprint import fingerprint
from probe.protocols.llama_chunked import llama_server
from probe.record import Pause, RunRecord, ServerIdentity


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
        with_llm(llama_url="http://localhost:8000"),
        with_limits(run_s=60.0, llm_s=5.0),
    ],
)
def test_what_moves_none_does_not(other: RunRecord) -> None:
    assert fingerprint(other) == fingerprint(record())


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
