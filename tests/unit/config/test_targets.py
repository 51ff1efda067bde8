"""A target is its servers: their protocols, what those take, secrets, and the flat keys of version 0.1."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from click.testing import CliRunner
from msgspec import Meta, Struct

from probe import config, drift
from probe.cli.check_config import check_config
from probe.config import ConfigError, TargetConfig, effective
from probe.config.daemon import DriftConfig, OtlpConfig
from probe.plan import ServerPlan
from probe.protocols.registry import PROTOCOLS
from probe.transport.connection import Endpoint
from probe.typed_json import plain

Write = Callable[[str], Path]
TOKEN = "Bearer 0123"  # noqa: S105 - a stand-in
SOURCES = Path(config.__file__).parent


class ChatOptions(Struct, frozen=True, kw_only=True):
    model: str
    stop: list[str] = []
    seed: Annotated[int, Meta(ge=0)] | None = None


class Protocol(NamedTuple):
    """What the configuration needs to know of a protocol."""

    name: str
    schemes: tuple[str, ...]
    default_url: str
    options: type[Struct]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("PROBE_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "probe.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that nobody but the registry knows of."""
    protocol = Protocol("chat", ("http", "https"), "http://localhost:8000/v1", ChatOptions)
    known = {**PROTOCOLS, "llm": {"chunked": PROTOCOLS["llm"]["chunked"], "chat": protocol}}
    monkeypatch.setattr("probe.config.target.PROTOCOLS", known)


def errors(path: Path | None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    lines = str(caught.value).splitlines()
    return dict(re.sub(rf"^{re.escape(str(path))}(:\d+)?: ", "", line).split(": ", 1) for line in lines)


def server(path: Path | None, role: Any = "llm") -> ServerPlan:
    (target,) = config.load(path).targets.values()
    return target.record("t").servers[role]


def test_a_server_is_its_protocol_and_what_that_takes(write: Write) -> None:
    path = write(f"""
        [targets.spark.llm]
        protocol = "chunked"
        url = "ws://spark:8002/ws"
        headers = {{ authorization = "{TOKEN}" }}
        llama_url = "http://spark:8080"
        [targets.spark.tts]
        voice = "leo"
    """)
    headers = {"authorization": TOKEN}
    assert server(path) == ServerPlan("chunked", "ws://spark:8002/ws", {"llama_url": "http://spark:8080"}, headers)
    tts = server(path, "tts")
    assert (tts.protocol, tts.url) == ("magpie", PROTOCOLS["tts"]["magpie"].default_url)
    assert tts.options == {
        "voice": "leo", "language": "en", "sample_rate": 22000, "mode": "batch", "gap_ms": 150, "hold_s": 2,
        "flush_ms": 4000,
    }  # fmt: skip


def test_without_a_value_an_option_is_not_there(write: Write) -> None:
    assert server(write("[targets.spark.llm]")).options == {}


@pytest.mark.usefixtures("chat")
def test_a_protocol_of_the_registry_needs_no_other_file(write: Write) -> None:
    path = write('[targets.t.llm]\nprotocol = "chat"\nmodel = "qwen3"\nseed = 0')
    assert server(path) == ServerPlan("chat", "http://localhost:8000/v1", {"model": "qwen3", "stop": [], "seed": 0})


@pytest.mark.usefixtures("chat")
def test_without_a_protocol_the_scheme_of_the_url_decides(write: Write) -> None:
    assert server(write('[targets.t.llm]\nurl = "HTTPS://h/v1"\nmodel = "m"')).protocol == "chat"
    assert server(write('[targets.t.llm]\nurl = "wss://h/ws"')).protocol == "chunked"
    assert server(write("[targets.t]\nllm_url = 'ws://h/ws'")).protocol == "chunked"


@pytest.mark.usefixtures("chat")
def test_options_in_variables_are_read_as_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": "http://h", "MODEL": "7", "STOP": '["a", "b"]', "SEED": "3"}.items():
        monkeypatch.setenv(f"PROBE_TARGETS__T__LLM__{name}", value)
    assert server(None).options == {"model": "7", "stop": ["a", "b"], "seed": 3}


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize(
    ("llm", "wrong"),
    [
        ('protocol = "chat"', {"model": "is missing"}),
        ('protocol = "chat"\nmodel = "m"\nseed = -1', {"seed": "should be greater than or equal to 0 (got -1)"}),
        ('protocol = "chat"\nmodel = "m"\nvoice = "x"', {
            "voice": "unknown key; chat takes: protocol, url, headers, model, stop, seed"
        }),
        ('model = "m"', {"model": "unknown key; chunked takes: protocol, url, headers, llama_url"}),
        ('protocol = "nope"\nurl = "ws://h"', {"protocol": "'nope' is unknown; one of: chat, chunked"}),
        ("protocol = 3", {"protocol": "should be text (got 3)"}),
        ('protocol = "chat"\nmodel = "m"\nurl = "ws://h"', {
            "url": "'ws://h' is not an HTTP URL; expected http://HOST:PORT or https://HOST:PORT"
        }),
        ('url = "tcp://h:1"\nmodel = "m"\nllama_url = "h"', {
            "url": "'tcp://h:1' is not a WebSocket or an HTTP URL; expected ws://HOST:PORT/PATH or wss://HOST/PATH or "
            "http://HOST:PORT or https://HOST:PORT",
            "llama_url": "'h' is not an HTTP URL; expected http://HOST:PORT or https://HOST:PORT",
        }),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_server(write: Write, llm: str, wrong: dict[str, str]) -> None:
    assert errors(write(f"[targets.t.llm]\n{llm}")) == {f"targets.t.llm.{key}": text for key, text in wrong.items()}


@pytest.mark.parametrize("value", ["3", "true", "[]"])
def test_a_server_that_is_no_table(write: Write, value: str) -> None:
    shown = json.loads(value)
    assert errors(write(f"[targets.t]\ntts = {value}")) == {"targets.t.tts": f"should be a table (got {shown})"}


def test_a_flat_key_means_the_nested_one(write: Write) -> None:
    flat = write("""
        [targets.t]
        llm_url = "ws://h/ws"
        llama_url = "http://h:8080"
        tts_mode = "stream"
        limits = { run_s = 7, gap_ms = 9 }
    """)
    old = config.load(flat)
    nested = write("""
        [targets.t]
        limits = { run_s = 7 }
        llm = { url = "ws://h/ws", llama_url = "http://h:8080" }
        tts = { mode = "stream", gap_ms = 9 }
    """)
    assert config.load(nested) == old


def test_a_flat_key_beside_the_nested_one_is_an_error_that_names_both(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("[targets.t]\nvoice = 'a'\nlimits.gap_ms = 1\ntts = { voice = 'b', gap_ms = 2 }")
    assert errors(path) == {
        "targets.t.voice": "says the same as targets.t.tts.voice: leave one of them out",
        "targets.t.limits.gap_ms": "says the same as targets.t.tts.gap_ms: leave one of them out",
    }
    monkeypatch.setenv("PROBE_TARGETS__T__VOICE", "a")
    monkeypatch.setenv("PROBE_TARGETS__T__TTS__VOICE", "b")
    assert errors(None) == {
        "PROBE_TARGETS__T__VOICE": "says the same as targets.t.tts.voice: leave one of them out"
    }  # fmt: skip


@pytest.mark.parametrize("variable", ["PROBE_TARGETS__T__VOICE", "PROBE_TARGETS__T__TTS__VOICE"])
@pytest.mark.parametrize("text", ["[targets.T]\nvoice = 'file'", "[targets.T.tts]\nvoice = 'file'"])
def test_a_variable_outranks_the_file_however_each_is_spelt(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, "variable")
    assert server(write(text), "tts").options["voice"] == "variable"
    monkeypatch.setenv(variable, "")
    assert errors(write(text)) == {variable: "should not be empty (got '')"}


def test_headers_come_from_secret_files_too(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write('[targets.Spark.llm]\nheaders = { Authorization = "file", x-other = "file" }')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "PROBE_TARGETS__SPARK__LLM__HEADERS__AUTHORIZATION").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    assert server(path).headers == {"Authorization": TOKEN, "x-other": "file"}
    bad = secrets / "PROBE_TARGETS__SPARK__LLM__URL"
    bad.write_text("nowhere")
    assert [*errors(path)] == [str(bad)]


def test_secrets_that_can_not_be_read_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "file"))
    assert "Not a directory" in errors(None)["CREDENTIALS_DIRECTORY"]
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "none"))
    assert config.load(None) == config.Config()


@pytest.mark.parametrize(
    "text",
    [
        f'[targets.t.llm]\nheaders = "{TOKEN}"',
        f'[targets.t.llm]\nheaders = ["{TOKEN}"]',
        f'[targets.t.llm]\nheaders = {{ authorization = {{ token = "{TOKEN}" }} }}',
        f'[targets.t.llm]\nheaders = {{ authorization = "{TOKEN}\\n" }}',
        f'[targets.t.llm]\nheaders = {{ "a b" = "{TOKEN}" }}',
        f'[[targets.t]]\nllm = {{ headers = {{ authorization = "{TOKEN}" }} }}',
        f'[[targets]]\nt = {{ llm = {{ headers = {{ authorization = "{TOKEN}" }} }} }}',
        f'[unknown]\nheaders = {{ authorization = "{TOKEN}" }}',
        f'[targets.t.llm]\nurl = "ws://user:{TOKEN.split()[1]}@spark:99999/ws"',
        f'[targets.t.llm]\nurl = "ws://spark:99999/ws?key={TOKEN.split()[1]}"',
        f'[targets.t.llm]\nllama_url = "ftp://user:{TOKEN.split()[1]}@spark"',
    ],
)
def test_no_error_shows_a_secret(write: Write, text: str) -> None:
    path = write(text)
    for arguments in ([str(path)], [str(path), "--json"]):
        result = CliRunner().invoke(check_config, arguments)
        assert result.exit_code == 2
        assert "0123" not in result.output


def test_no_variable_that_is_half_a_table_shows_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.touch()
    monkeypatch.setenv("PROBE_TARGETS__T__LLM", f'{{"headers": {{"a": "{TOKEN}"}}')
    result = CliRunner().invoke(check_config, [str(path), "--json"])
    assert (result.exit_code, "0123" in result.output) == (2, False)


def test_a_configuration_does_not_show_its_secrets(write: Write) -> None:
    path = write(f'[targets.t.llm]\nheaders = {{ authorization = "{TOKEN}" }}')
    loaded = config.load(path)
    assert server(path).headers == {"authorization": TOKEN}
    assert "0123" not in f"{loaded!r} {loaded.targets['t'].record('t')!r}"
    assert "0123" not in CliRunner().invoke(check_config, [str(path), "--json"]).output


@pytest.mark.usefixtures("chat")
def test_an_overriding_url_may_be_of_another_protocol() -> None:
    plain = config.override(TargetConfig(), {"llm_url": "ws://other/ws"})
    assert plain.record("t").servers["llm"].url == "ws://other/ws"
    with pytest.raises(ConfigError, match=r"llm\.model: is missing"):
        config.override(TargetConfig(), {"llm_url": "http://other/v1"})
    table = {"protocol": "chat", "model": "m", "headers": {"a": "b"}}
    chosen = TargetConfig.of(llm=table, objective_ms=5, objective_measure="response_ttfa")
    moved = config.override(chosen, {"llm_url": "http://other/v1", "voice": "leo"}).record("t")
    assert moved.servers["llm"] == ServerPlan("chat", "http://other/v1", {"model": "m", "stop": []}, {"a": "b"})
    judged = (moved.objective_ms, moved.objective_measure)
    assert (*judged, moved.option("tts", "voice")) == (5, "response_ttfa", "leo")


def test_the_configuration_names_no_protocol_and_none_of_its_options() -> None:
    known = [protocol for each in PROTOCOLS.values() for protocol in each.values()]
    options = {name for protocol in known for name in protocol.options.__struct_fields__}
    text = "\n".join(path.read_text("utf-8") for path in SOURCES.glob("*.py"))
    assert {name for name in options | {each.name for each in known} if f'"{name}"' in text} == set()


def test_drift_has_the_defaults_of_the_configuration() -> None:
    assert DriftConfig() == DriftConfig(threshold=drift.THRESHOLD, least_change_percent=100 * drift.LEAST_CHANGE)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "local"),
        ({"llm_url": "ws://spark:1/ws"}, "local"),
        ({"llm_url": "ws://spark:1/ws", "tts_url": "ws://spark:2/ws"}, "none"),
        ({"llm_url": "ws://spark:1/ws", "tts_url": "ws://spark:2/ws", "machine": "local"}, "local"),
        ({"machine": "none"}, "none"),
        # Whoever names another machine does not mean this one, unless they say so.
        ({"exporters": {"node": "http://spark:9100/metrics"}}, "none"),
        ({"exporters": {"dcgm": "http://localhost:9400/metrics"}, "machine": "local"}, "local"),
    ],
)
def test_the_machine_is_read_where_a_server_is_on_it_unless_the_setting_says_otherwise(
    given: dict[str, str], found: str
) -> None:
    assert TargetConfig.of(**given).record("spark").machine == found


@pytest.mark.parametrize("wrong", [{"api_key": "hunter2"}, {"header": {"authorization": "hunter2"}}])
def test_a_key_that_nobody_knows_may_hold_a_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        TargetConfig.of(llm={"url": "http://spark:8000/v1", **wrong})
    [found] = raised.value.problems
    assert found.value is None and "unknown key" in found.wrong


def test_no_secret_of_a_configuration_is_in_its_representation() -> None:
    url = "http://me:word@spark:8000/v1?key=word"
    server = {"protocol": "openai_chat", "url": url, "headers": {"x-key": "word"}}
    target = TargetConfig.of(llm=server, exporters={"node": url})
    otlp = OtlpConfig.of(endpoint=url, headers={"x-key": "word"})
    asked = target.record("t")
    made = [target, otlp, asked, asked.servers, asked.exporters, Endpoint(asked.servers["llm"].url, "http1")]
    assert "http://spark:8000/v1" in repr(made) and "word" not in repr(made)
    assert asked.servers["llm"].url == url and otlp.endpoint == url


def test_exporters_are_those_that_are_named_and_no_secret_of_theirs_is_kept() -> None:
    assert TargetConfig().record("t").exporters == {}
    found = TargetConfig.of(exporters={"node": "http://me:word@spark:9100/metrics?key=1"}).record("t")
    assert found.exporters == {"node": "http://me:word@spark:9100/metrics?key=1"}
    assert plain(found)["exporters"] == {"node": "http://spark:9100/metrics"}
    assert "word" not in repr(found)
    with pytest.raises(ConfigError, match="an HTTP URL"):
        TargetConfig.of(exporters={"node": "spark:9100"})


SPEAKERS = """
[user_speech]
url = "http://localhost:8880/v1"
headers = { authorization = "Bearer 0123" }
voice = "am_adam"
[targets.hears.stt]
[targets.own.stt]
[targets.own.user_speech]
url = "tcp://localhost:10200"
[targets.reads]
"""


def test_another_server_may_make_the_speech_of_the_user(write: Write) -> None:
    """One for every target that hears, unless a target has one of its own."""
    settings = config.load(write(SPEAKERS))
    plans = {name: target.record(name).user_speech for name, target in settings.targets.items()}
    hears, own = plans["hears"], plans["own"]
    assert hears is not None and own is not None and plans["reads"] is None
    assert (hears.protocol, hears.options["voice"], hears.headers) == (
        "openai_speech",
        "am_adam",
        {"authorization": TOKEN},
    )
    assert (own.protocol, own.url) == ("wyoming", "tcp://localhost:10200")
    changed = config.override(settings.targets["hears"], {"objective_ms": 700})
    assert changed.record("hears").user_speech == hears, "an option of the command line leaves it"
    shown = "\n".join(effective.toml_lines(effective.document(settings)))
    assert 'voice = "am_adam"' in shown and "0123" not in shown
    assert "0123" not in target_json(settings.targets["hears"])


def target_json(target: TargetConfig) -> str:
    return json.dumps(plain(target.record("hears")))


@pytest.mark.parametrize(
    ("text", "key", "wrong"),
    [
        ('voice = "am_adam"', "user_speech.url", "is missing"),
        ('url = "ftp://h"', "user_speech.url", "expected ws:"),
        ('url = "http://h"\npace = 1', "user_speech.pace", "unknown key; openai_speech takes: "),
    ],
)
def test_what_is_wrong_with_that_server_is_an_error_at_its_key(write: Write, text: str, key: str, wrong: str) -> None:
    found = errors(write(f"[user_speech]\n{text}\n"))
    assert [*found] == [key]
    assert wrong in found[key]
