"""What the configuration takes, what it refuses, and in which words: every error at once, a line for each."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import config
from probe.config import ConfigError, ScenarioConfig, TargetConfig
from probe.plan import Pause, choose, new_plan
from probe.protocols import registry
from probe.urls import checked_url

URL = "expected ws://HOST:PORT/PATH or wss://HOST/PATH"
# An LLM server may speak either.
LLM_URL = f"is not a WebSocket or an HTTP URL; {URL} or http://HOST:PORT or https://HOST:PORT"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("PROBE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "probe.toml"


def errors(path: Path | None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    # Which line it is, `test_lines.py` says.
    return [re.sub(r"(?<=\.toml):\d+(?=: )", "", line) for line in str(caught.value).splitlines()]


def test_nothing_at_all_is_a_configuration() -> None:
    loaded = config.load(None)
    assert (list(loaded.targets), list(loaded.scenarios)) == (["local"], ["default"])
    target = loaded.targets["local"].record("local")
    urls = {role: server.url for role, server in target.servers.items()}
    assert urls == {"llm": "ws://localhost:8002/ws", "tts": "ws://localhost:8001/ws/tts/stream"}
    tts = target.servers["tts"].options
    assert (tts["voice"], tts["language"], tts["sample_rate"], tts["mode"]) == ("aria", "en", 22000, "batch")
    scenario = loaded.scenarios["default"].record("default")
    assert (scenario.first_pause, scenario.next_pause) == (Pause(max_tokens=10), Pause(sentence_boundary=True))
    assert scenario.prompt_cache == "fresh"


def test_a_file_says_what_differs(path: Path) -> None:
    path.write_text("""
        [targets.spark]
        llm_url = "ws://spark:8002/ws"
        tts_url = "wss://[::1]/tts"
        voice = "leo"
        objective_ms = 800
        limits = { llm_s = 3, gap_ms = 200.5 }

        [targets.kitchen]

        [scenarios.long]
        user_turns = ["Hello?", "And then?"]
        turns = 3
        first_pause = {}
        next_pause = { max_tokens = 20 }
        prompt_cache = "reused"
    """)
    loaded = config.load(path)
    assert list(loaded.targets) == ["spark", "kitchen"]
    assert loaded.targets["kitchen"] == TargetConfig()
    target = loaded.targets["spark"].record("spark")
    assert (target.name, target.option("tts", "voice"), target.objective_ms) == ("spark", "leo", 800)
    defaults = TargetConfig().record("local").limits
    assert (target.limits, target.option("tts", "gap_ms")) == (replace(defaults, llm_s=3), 200.5)
    scenario = loaded.scenarios["long"].record("long")
    assert scenario.user_turns == ("Hello?", "And then?", "Hello?")
    assert (scenario.first_pause, scenario.next_pause) == (Pause(), Pause(max_tokens=20))


def test_a_daemon_may_have_no_schedule_of_its_own(path: Path) -> None:
    path.write_text("[schedules]")
    assert config.load(path).schedules == {}


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        # Not a table where one belongs, or an empty one.
        ("targets = 3", ["targets: should be a table (got 3)"]),
        ("targets = {}", ["targets: should not be empty (got {})"]),
        ("scenarios = {}", ["scenarios: should not be empty (got {})"]),
        ("[[targets]]\na = 1", ["targets: should be a table (got [{'a': 1}])"]),
        ("[targets]\na = 1", ["targets.a: should be a table (got 1)"]),
        ("[targets.a]\nlimits = 7", ["targets.a.limits: should be a table (got 7)"]),
        ("[scenarios.s]\nfirst_pause = 'x'", ["scenarios.s.first_pause: should be a table (got 'x')"]),
        # Unknown keys, at every depth.
        ("target = 1", ["target: unknown key; did you mean targets?"]),
        ("[targetz.a]", ["targetz: unknown key; did you mean targets?"]),
        ("[targets.a]\nvoices = ['leo']", ["targets.a.voices: unknown key; did you mean voice?"]),
        (
            '[targets.a]\nheaders = { authorization = "Bearer K" }',
            ["targets.a.headers: a server has them: write llm.headers or tts.headers in this target"],
        ),
        (
            '[targets.a]\nllm_headers = { authorization = "Bearer K" }',
            ["targets.a.llm_headers: a server has them: write llm.headers or tts.headers in this target"],
        ),
        ("[targets.a.limits]\ngap_s = 1", ["targets.a.limits.gap_s: unknown key"]),
        (
            "[scenarios.s.next_pause]\nsentence = true",
            ["scenarios.s.next_pause.sentence: unknown key; did you mean sentence_boundary?"],
        ),
        # Names.
        ('[targets.""]', ['targets."": a name is printable text']),
        ('[targets."a\\nb"]', ['targets."a\\nb": a name is printable text']),
        ('[targets."a.b"]\nvoice = ""', ["targets.\"a.b\".voice: should not be empty (got '')"]),
        # URLs.
        ("[targets.a]\nllm_url = 3", ["targets.a.llm_url: should be text (got 3)"]),
        ("[targets.a]\nllm_url = ''", [f"targets.a.llm_url: '' {LLM_URL}"]),
        (
            "[targets.a]\nllm_url = 'ftp://spark:8002/ws'",
            [f"targets.a.llm_url: 'ftp://spark:8002/ws' {LLM_URL}"],
        ),
        ("[targets.a]\ntts_url = 'ws://'", [f"targets.a.tts_url: 'ws://' is not a WebSocket URL; {URL}"]),
        ("[targets.a]\ntts_url = 'ws://h/#x'", [f"targets.a.tts_url: 'ws://h/#x' is not a WebSocket URL; {URL}"]),
        ("[targets.a]\ntts_url = 'ws://h:0'", [f"targets.a.tts_url: 'ws://h:0' is not a WebSocket URL; {URL}"]),
        ("[targets.a]\ntts_url = 'ws://a b'", [f"targets.a.tts_url: 'ws://a b' is not a WebSocket URL; {URL}"]),
        (
            '[targets.a]\ntts_url = "ws://a\\u0007"',
            [f"targets.a.tts_url: 'ws://a\\x07' is not a WebSocket URL; {URL}"],
        ),
        (
            "[targets.a]\ntts_url = 'ws://h:99999'",
            [f"targets.a.tts_url: 'ws://h:99999' is not a URL (Port out of range 0-65535); {URL}"],
        ),
        (
            "[targets.a]\ntts_url = 'ws://a..b/'",
            [f"targets.a.tts_url: 'ws://a..b/' has a host that is no DNS name; {URL}"],
        ),
        # One of a list.
        (
            "[targets.a]\nllm_protocol = 'grpc'",
            [f"targets.a.llm_protocol: 'grpc' is unknown; one of: {', '.join(sorted(registry.LLM))}"],
        ),
        (
            "[targets.a]\ntts_protocol = 'grpc'",
            [f"targets.a.tts_protocol: 'grpc' is unknown; one of: {', '.join(sorted(registry.TTS))}"],
        ),
        ("[targets.a]\ntts_mode = 'fast'", ["targets.a.tts_mode: should be 'batch' or 'stream' (got 'fast')"]),
        (
            "[scenarios.s]\nprompt_cache = 'warm'",
            ["scenarios.s.prompt_cache: should be 'fresh' or 'reused' (got 'warm')"],
        ),
        # Texts.
        ("[targets.a]\nvoice = ''", ["targets.a.voice: should not be empty (got '')"]),
        ("[targets.a]\nlanguage = true", ["targets.a.language: should not be true or false"]),
        ("[scenarios.s]\nsystem_prompt = 1", ["scenarios.s.system_prompt: should be text (got 1)"]),
        (
            "[scenarios.s]\nuser_turns = 'Hi'",
            ['scenarios.s.user_turns: should be a list, such as ["one", "two"] (got \'Hi\')'],
        ),
        ("[scenarios.s]\nuser_turns = []", ["scenarios.s.user_turns: should not be empty (got [])"]),
        ("[scenarios.s]\nuser_turns = ['a', '']", ["scenarios.s.user_turns.1: should not be empty (got '')"]),
        # Numbers and their bounds.
        ("[targets.a]\nobjective_ms = 'soon'", ["targets.a.objective_ms: should be a number (got 'soon')"]),
        ("[targets.a]\nobjective_ms = true", ["targets.a.objective_ms: should not be true or false"]),
        ("[targets.a]\nobjective_ms = nan", ["targets.a.objective_ms: should be a finite number (got nan)"]),
        ("[targets.a]\nobjective_ms = 0", ["targets.a.objective_ms: should be greater than 0 (got 0)"]),
        (
            "[targets.a]\nobjective_measure = 'me'",
            ["targets.a.objective_measure: should be 'response_ttfb', 'response_ttfa' or 'voice_to_voice' (got 'me')"],
        ),
        ("[targets.a]\nobjective_ms = []", ["targets.a.objective_ms: should be a number (got [])"]),
        ("[targets.a]\nsample_rate = 22050.5", ["targets.a.sample_rate: should be a whole number (got 22050.5)"]),
        ("[targets.a]\nsample_rate = 22", ["targets.a.sample_rate: should be greater than or equal to 8000 (got 22)"]),
        (
            "[targets.a]\nlimits = { run_s = 86400 }",
            ["targets.a.limits.run_s: should be less than or equal to 3600 (got 86400)"],
        ),
        ("[targets.a]\nlimits = { gap_ms = inf }", ["targets.a.limits.gap_ms: should be a finite number (got inf)"]),
        ("[scenarios.s]\nturns = 0", ["scenarios.s.turns: should be greater than or equal to 1 (got 0)"]),
        ("[scenarios.s]\nturns = 101", ["scenarios.s.turns: should be less than or equal to 100 (got 101)"]),
        ("[scenarios.s]\ntemperature = -1", ["scenarios.s.temperature: should be greater than or equal to 0 (got -1)"]),
        (
            "[scenarios.s]\nfirst_pause = { max_tokens = 501 }",
            ["scenarios.s.first_pause.max_tokens: should be less than or equal to 500 (got 501)"],
        ),
        (
            "[scenarios.s]\nnext_pause = { sentence_boundary = 'sometimes' }",
            ["scenarios.s.next_pause.sentence_boundary: should be true or false (got 'sometimes')"],
        ),
        (
            "[scenarios.s]\nnext_pause = { sentence_boundary = true, max_tokens = 5 }",
            ["scenarios.s.next_pause: max_tokens and sentence_boundary exclude each other"],
        ),
        # Everything at once.
        (
            "no = 1\n[targets.a]\nvoice = ''\nsample_rate = 'x'\n[targets.b]\nvoice = 3\n[scenarios.s]\nturns = 0",
            [
                "no: unknown key",
                "scenarios.s.turns: should be greater than or equal to 1 (got 0)",
                "targets.a.sample_rate: should be a whole number (got 'x')",
                "targets.a.voice: should not be empty (got '')",
                "targets.b.voice: should be text (got 3)",
            ],
        ),
    ],
)
def test_a_bad_file_is_refused_with_a_line_for_each_error(path: Path, toml: str, expected: list[str]) -> None:
    path.write_text(toml)
    assert sorted(errors(path)) == [f"{path}: {line}" for line in expected]


@pytest.mark.parametrize(
    "content",
    [b"[targets", b"a = 1\na = 2", b"# caf\xe9", b"\x00", "[targets.a]".encode("utf-16"), b"a = " + b"[" * 100_000],
)
def test_what_is_no_toml_is_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    (line,) = errors(path)
    assert line.startswith(f"{path}: not TOML: ")


def test_a_missing_file_and_a_directory_are_one_line_each(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert errors(missing) == [
        f"{missing}: there is no such file; `probe init` writes one for the servers that it finds"
    ]
    assert errors(tmp_path) == [f"{tmp_path}: can't be read: Is a directory"]
    below = tmp_path / "file"
    below.touch()
    assert errors(below / "x") == [f"{below / 'x'}: can't be read: Not a directory"]


def test_the_environment_outranks_the_file_and_leaves_the_rest_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("[targets.a]\nvoice = 'leo'\nlanguage = 'de'\nlimits = { llm_s = 3, tts_s = 4 }\n[targets.b]")
    monkeypatch.setenv("PROBE_TARGETS__A__VOICE", "sofia")
    monkeypatch.setenv("PROBE_TARGETS__A__LIMITS__LLM_S", "5.5")
    loaded = config.load(path)
    assert list(loaded.targets) == ["a", "b"]
    target = loaded.targets["a"].record("a")
    assert (target.option("tts", "voice"), target.option("tts", "language")) == ("sofia", "de")
    assert (target.limits.llm_s, target.limits.tts_s) == (5.5, 4)


def test_a_name_in_the_environment_is_the_files_whatever_its_case(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("[targets.Spark]\nvoice = 'leo'")
    monkeypatch.setenv("PROBE_TARGETS__SPARK__VOICE", "sofia")
    found = config.load(path).targets
    assert {name: target.record(name).option("tts", "voice") for name, target in found.items()} == {"Spark": "sofia"}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("PROBE_TARGETS__LOCAL__VOICE", "123", ("123", 22000, 10)),
        ("PROBE_TARGETS__LOCAL__VOICE", "null", ("null", 22000, 10)),
        ("probe_targets__local__voice", "leo", ("leo", 22000, 10)),
        ("PROBE_TARGETS__LOCAL__SAMPLE_RATE", "24000", ("aria", 24000, 10)),
        ("PROBE_TARGETS__LOCAL__LIMITS", '{"llm_s": 3}', ("aria", 22000, 3)),
        ("PROBE_TARGETS", '{"local": {"voice": "leo", "sample_rate": 16000}}', ("leo", 16000, 10)),
    ],
)
def test_the_environment_alone(monkeypatch: pytest.MonkeyPatch, name: str, value: str, found: Any) -> None:
    monkeypatch.setenv(name, value)
    target = config.load(None).targets["local"].record("local")
    assert (target.option("tts", "voice"), target.option("tts", "sample_rate"), target.limits.llm_s) == found


def test_lists_and_pauses_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_SCENARIOS__DEFAULT__USER_TURNS", '["One?", "Two?"]')
    monkeypatch.setenv("PROBE_SCENARIOS__DEFAULT__FIRST_PAUSE__MAX_TOKENS", "3")
    scenario = config.load(None).scenarios["default"]
    assert scenario.user_turns == ["One?", "Two?"]
    assert scenario.first_pause.max_tokens == 3


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROBE_TARGETS__A__OBJECTIVE_MS", "soon", "should be a number (got 'soon')"),
        ("PROBE_TARGETS__A__OBJECTIVE_MS", "", "should be a number (got '')"),
        ("PROBE_TARGETS__A__LIMITS__GAP_MS", "-3", "should be greater than 0 (got '-3')"),
        ("PROBE_TARGETS__A__LLM_URL", "spark:8002", f"'spark:8002' {LLM_URL}"),
        ("PROBE_TARGETS__A__NOPE", "1", "unknown key"),
        ("PROBE_TARGETS__A__VOICE", "\udcff", r"should be Unicode text (got '\udcff')"),
        ("PROBE_TARGETS__A", "x", "should be a table (got 'x')"),
        ("PROBE_TARGETS", "{broken", "should be a table (got '{broken')"),
        ("PROBE_TARGETS", "[1]", "should be a table (got [1])"),
        ("PROBE_SCENARIOS__S__USER_TURNS", "Hi", 'should be a list, such as ["one", "two"] (got \'Hi\')'),
        ("PROBE_SCENARIOS__S__NEXT_PAUSE__SENTENCE_BOUNDARY", "maybe", "should be true or false (got 'maybe')"),
    ],
)
def test_a_bad_value_in_the_environment_names_its_variable(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    assert errors(None) == [f"{name}: {expected}"]
    path.write_text("[targets.a]\nvoice = 'leo'\n[scenarios.s]")
    assert errors(path) == [f"{name}: {expected}"], "the file is not to blame"


def test_file_and_environment_are_both_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("[targets.a]\nvoice = ''")
    monkeypatch.setenv("PROBE_TARGETS__A__SAMPLE_RATE", "x")
    assert sorted(errors(path)) == [
        f"{path}: targets.a.voice: should not be empty (got '')",
        "PROBE_TARGETS__A__SAMPLE_RATE: should be a whole number (got 'x')",
    ]


def test_other_variables_that_begin_alike_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes gives every container PROBE_SERVICE_HOST where there is a service called probe."""
    monkeypatch.setenv("PROBE_SERVICE_HOST", "10.0.0.1")
    assert list(config.load(None).targets) == ["local"]


def test_override_replaces_what_is_given_and_checks_it() -> None:
    section = TargetConfig.of(voice="leo", limits={"llm_s": 3})
    assert config.override(section, {"voice": None, "language": "de"}) == TargetConfig.of(
        voice="leo", language="de", limits={"llm_s": 3}
    )
    assert config.override(section, {}) == section
    with pytest.raises(ConfigError) as caught:
        config.override(section, {"llm_url": "ftp://x", "voice": ""})
    assert [(problem.key, str(problem)) for problem in caught.value.problems] == [
        (("llm_url",), f"'ftp://x' {LLM_URL}"),
        (("voice",), "should not be empty (got '')"),
    ]


def test_turns_cycle_the_texts() -> None:
    three = config.override(ScenarioConfig(), {"user_turns": ["a", "b"], "turns": 3}).record("s")
    assert three.user_turns == ("a", "b", "a")
    assert ScenarioConfig.of(user_turns=["a", "b"], turns=1).record("s").user_turns == ("a",)


def test_choose_takes_the_first_or_the_one_that_is_named() -> None:
    known = {"a": 1, "b": 2}
    assert choose("target", known, None) == ("a", 1)
    assert choose("target", known, "b") == ("b", 2)
    with pytest.raises(ValueError, match="no target 'c' is configured; there is: a, b"):
        choose("target", known, "c")


def test_a_plans_ids_are_its_own_and_sort_by_time() -> None:
    target, scenario = TargetConfig().record("t"), ScenarioConfig().record("s")
    plans = [new_plan(target, scenario) for _ in range(50)]
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        ids = {getattr(plan, name) for plan in plans}
        assert len(ids) == 50
        assert all(len(each) == digits and int(each, 16) for each in ids)
    assert len({plan.run_id for plan in plans}) == 50


@given(st.text() | st.text().map("ws://{}".format))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    try:
        good = checked_url(text, ("ws", "wss"))
    except ValueError as error:
        line = str(error)
    else:
        assert good == text and text.isprintable() and urlsplit(text).hostname
        return
    assert URL in line and line.isprintable()
