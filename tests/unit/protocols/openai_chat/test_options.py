"""What may be written for a chat server, and how it gets into the record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probe import config
from probe.config import ConfigError
from probe.drift.fingerprint import fingerprint
from probe.plan import Target, new_plan
from probe.record import RunRecord

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "probe.toml"
        path.write_text(f'[targets.t.llm]\nurl = "http://spark:8000/v1"\n{text}')
        return path

    return written


def target(path: Path | None) -> Target:
    return config.load(path).targets["t"].record("t")


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    (line,) = str(caught.value).splitlines()
    return line.partition("targets.t.llm.")[2]


def test_the_defaults(write: Write) -> None:
    llm = target(write("")).servers["llm"]
    assert (llm.protocol, llm.options) == ("openai_chat", {"max_tokens": 1024, "stop": [], "extra_body": {}})


EXTRA = {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "no_ne", "n": [1, 2.5, {"a": "true"}]}


def test_extra_body_is_any_json_and_is_in_the_record(write: Write) -> None:
    path = write("""
        model = "qwen3"
        headers = { authorization = "Bearer key" }
        [targets.t.llm.extra_body]
        reasoning_effort = "no_ne"
        n = [1, 2.5, { a = "true" }]
        chat_template_kwargs = { enable_thinking = false }
    """)
    found = target(path)
    assert found.servers["llm"].options["extra_body"] == EXTRA
    loaded = config.load(path)
    record = RunRecord(new_plan(found, loaded.scenarios["default"].record("default")), 1, 2)
    again = RunRecord.from_json(record.to_json())
    assert again.plan.target.servers["llm"].options == found.servers["llm"].options
    assert fingerprint(again) == fingerprint(record)


@pytest.mark.parametrize(
    "variables",
    [
        {"": '{"chat_template_kwargs": {"enable_thinking": false}, "seven": 7}'},
        {"__CHAT_TEMPLATE_KWARGS": '{"enable_thinking": false}', "__SEVEN": "7"},
        {"__CHAT_TEMPLATE_KWARGS__ENABLE_THINKING": "false", "__SEVEN": "7"},
    ],
)
def test_extra_body_from_the_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    monkeypatch.setenv("PROBE_TARGETS__T__LLM__URL", "http://h/v1")
    for name, value in variables.items():
        monkeypatch.setenv(f"PROBE_TARGETS__T__LLM__EXTRA_BODY{name}", value)
    expected = {"chat_template_kwargs": {"enable_thinking": False}, "seven": 7}
    assert target(None).servers["llm"].options["extra_body"] == expected


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("max_tokens = -1", "max_tokens: should be greater than or equal to 0 (got -1)"),
        ('model = ""', "model: should not be empty (got '')"),
        ("extra_body = { messages = [], stream = false }", "extra_body: messages and stream can't be replaced"),
        ("extra_body = { day = 2026-01-01 }", "extra_body.day: should be what JSON has"),
        ("extra_body = { x = nan }", "extra_body.x: should be what JSON has"),
        ("extra_body = 3", "extra_body: should be a table (got 3)"),
        (f"stop = {['x'] * 17}", "stop: should be at most 16"),
        ("top_p = 1", "top_p: unknown key; openai_chat takes: protocol, url, headers, model, max_tokens, seed, stop,"),
    ],
)
def test_what_is_wrong(write: Write, text: str, wrong: str) -> None:
    assert problem(write(text)).startswith(wrong)


def test_another_url_keeps_the_options(write: Write) -> None:
    settings = config.load(write('model = "m"\nextra_body = { a = "b" }')).targets["t"]
    values: dict[str, Any] = {"llm_url": "http://other/v1"}
    moved = config.override(settings, values).record("t").servers["llm"]
    assert (moved.url, moved.options["model"], moved.options["extra_body"]) == ("http://other/v1", "m", {"a": "b"})
