"""What chat servers say of themselves, each in its own way."""

import json
from typing import Any

import pytest

from probe.plan import ServerPlan
from probe.protocols import ollama_pages, server_page
from probe.protocols.openai_chat import PROTOCOL, questions
from probe.record import ServerIdentity

HEADERS = {"authorization": "Bearer key"}
SERVER = ServerPlan("openai_chat", "https://me:pw@spark/llm/v1/?key=1", {"model": "qwen3"}, HEADERS)


def document(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_questions_go_where_the_conversation_goes_with_its_credentials() -> None:
    (users,) = PROTOCOL.users(SERVER)
    asked: list[Any] = [*users, *PROTOCOL.identity(SERVER), *PROTOCOL.cold(SERVER)]
    assert all(each.headers == HEADERS for each in asked)
    paths = [each.url.removeprefix("https://me:pw@spark/llm").removesuffix("?key=1") for each in asked]
    assert paths == [
        "/metrics", "/slots", "/v1/metrics", "/props", "/v1/models", "/version", "/api/version", "/api/ps", "/health",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "users"),
    [
        (b"# HELP llamacpp:requests_processing x\nllamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n", 3),
        (b'vllm:num_requests_running{engine="0",model_name="a} b"} 1.0\nvllm:num_requests_waiting{m="x"} 0.0\n', 1),
        (b'vllm:num_requests_running{engine="0"} 0.0\nvllm:num_requests_running{engine="1"} 2.0 1700000000\n', 2),
        (b'num_requests_running{model_name="nim"} 4\n', 4),
        (b'sglang:num_running_reqs{m="x"} 1\nsglang:num_queue_reqs{m="x"} 1\n', 2),
        (b"vllm:num_requests_running 0\n", 0),
        (b"vllm:num_requests_running NaN\nvllm:num_requests_waiting\n", None),
        (b"vllm:num_requests_running_total 5\nother 1\n", None),
        (b'vllm:num_requests_running{engine="0"} 1e300\n', 2**31),
        (b"\xff\x00{", None),
        (b"", None),
    ],
)
def test_metrics(page: bytes, users: int | None) -> None:
    found = server_page.state(page)
    assert (None if found is None else found.users) == users


def test_properties() -> None:
    said = {"model_path": "/models/q.gguf", "build_info": "b10434-7e4c0a9", "model_alias": ""}
    assert questions.properties(document(said)) == ServerIdentity("q.gguf", "b10434-7e4c0a9")
    assert questions.properties(document(said | {"model_alias": "qwen"})).model == "qwen"
    assert questions.properties(b"<html>") == ServerIdentity()


@pytest.mark.parametrize(
    ("models", "wanted", "model"),
    [
        ([{"id": "a"}, {"id": "b"}], "b", "b"),
        ([{"id": "a"}], "b", None),
        ([{"id": "a"}], None, "a"),
        ([{"id": "a"}, {"id": "b"}], None, None),
        ([3, {"id": 3}], None, None),
        (None, None, None),
    ],
)
def test_the_list_of_models(models: Any, wanted: str | None, model: str | None) -> None:
    assert questions.listed(document({"object": "list", "data": models}), wanted) == ServerIdentity(model)


def test_a_version_is_a_build() -> None:
    assert ollama_pages.version(b'{"version": "0.40.8"}') == ServerIdentity(None, "0.40.8")
    assert ollama_pages.version(b'{"version": 3}') == ServerIdentity()


@pytest.mark.parametrize(
    ("models", "wanted", "cold"),
    [
        ([{"name": "qwen3:latest", "model": "qwen3:latest"}], "qwen3", False),
        ([{"name": "qwen3:8b"}], "qwen3:8b", False),
        ([{"name": "qwen3:8b"}], "qwen3", True),
        ([], "qwen3", True),
        ([], None, None),
        ("none", "qwen3", None),
    ],
)
def test_what_ollama_has_loaded(models: Any, wanted: str | None, cold: bool | None) -> None:
    assert ollama_pages.not_loaded(document({"models": models}), wanted) is cold


@pytest.mark.parametrize(
    ("health", "cold"),
    [
        (b'{"status": "ok"}', False),
        (b"", False),
        (b'{"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}', True),
        (b'{"error": "Unexpected endpoint or method. (GET /health)"}', None),
        (b"<html>", None),
    ],
)
def test_health(health: bytes, cold: bool | None) -> None:
    assert questions.still_loading(health) is cold
