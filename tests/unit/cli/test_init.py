"""`probe init`: what it makes of the servers that were found. Who was found is written here."""

import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from runs import record

from probe import config
from probe.cli import choosing, lookout, main
from probe.cli.lookout import Place, Seen, to_ask, usual_ports
from probe.protocols.inquiries import Sign
from probe.protocols.registry import AGENT, LLM, PROTOCOLS, STT, TTS

CHAT = Seen(
    "llm", LLM["openai_chat"], "http://localhost:8080/v1", Sign("llama.cpp", "b10434", ("qwen3-8b",)), (), False
)
OLLAMA = Seen("llm", LLM["ollama"], "http://localhost:11434", Sign("Ollama", "0.13", ("a:1b", "b:2b")), (), True)
KOKORO = Seen(
    "tts", TTS["openai_speech"], "http://localhost:8880/v1", Sign("Kokoro-FastAPI"), tuple(f"af_{n}" for n in range(60))
)
PIPER = Seen("tts", TTS["wyoming"], "tcp://localhost:10200", Sign("piper", "2.5.2"), ("en_US-joe-medium", "nl_NL-x"))
PARAKEET = Seen("stt", STT["riva"], "grpc://localhost:50052", Sign(None, None, ("parakeet-en", "parakeet-es")))
HEARS = Seen("stt", STT["wyoming"], "tcp://localhost:10300", Sign("faster-whisper", "2.5.0"))
SPEACHES = Seen("stt", STT["openai_transcriptions"], "http://localhost:8000/v1", Sign(None, None, ("whisper-small",)))
HOSTILE = 'a"\n\x7f\u2028[evil]\ud800 = 1 \\'


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def found(*servers: Seen, terminal: bool = False) -> None:
        async def look(_asked: Iterable[Any]) -> list[Seen]:
            return list(servers)

        monkeypatch.setattr("probe.cli.init.look", look)
        monkeypatch.setattr("probe.cli.init._at_a_terminal", lambda: terminal)

    return found


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans of the test runs that were made."""
    plans: list[Any] = []

    def run(plan: Any, _tolerance: Any, **_options: Any) -> Any:
        plans.append(plan)
        return record()

    monkeypatch.setattr("probe.cli.live_run.reported", run)
    monkeypatch.setattr("probe.cli.live_run.measured", run)
    return plans


def init(folder: Path, *arguments: str, say: str = "") -> Result:
    return CliRunner().invoke(main, ["init", "--output", str(folder / "probe.toml"), *arguments], input=say)


def written(folder: Path) -> dict[str, Any]:
    """The file's target, which `check-config` accepts."""
    path = folder / "probe.toml"
    assert CliRunner().invoke(main, ["check-config", str(path)]).exit_code == 0
    (target,) = tomllib.loads(path.read_text())["targets"].values()
    assert isinstance(target, dict)
    return target


def test_yes_takes_the_first_that_is_warm_of_each_kind_and_runs_it(
    tmp_path: Path, finding: Callable[..., None], made: list[Any]
) -> None:
    finding(OLLAMA, CHAT, KOKORO, PIPER)
    result = init(tmp_path, "--yes")
    assert result.exit_code == 0, result.output
    assert written(tmp_path) == {
        "objective_ms": 1000,
        "llm": {"protocol": "openai_chat", "url": "http://localhost:8080/v1", "model": "qwen3-8b"},
        "tts": {"protocol": "openai_speech", "url": "http://localhost:8880/v1", "voice": "af_0"},
    }
    assert [plan.target.servers["llm"].url for plan in made] == ["http://localhost:8080/v1"]
    assert "4 servers" in result.stdout and "probe daemon --config" in result.stdout


def test_a_person_chooses_server_model_and_voice_and_whether_there_is_a_run(
    tmp_path: Path, finding: Callable[..., None], made: list[Any]
) -> None:
    finding(CHAT, OLLAMA, KOKORO, PIPER, terminal=True)
    result = init(tmp_path, say="2\n4\nc\nb:2b\nnl_NL-x\nn\n")
    assert result.exit_code == 0, result.output
    assert "there is none named 'c'" in result.stdout
    assert "One test run now? It makes http://localhost:11434 and tcp://localhost:10200 work" in result.stdout
    assert written(tmp_path) == {
        "objective_ms": 1000,
        "llm": {"protocol": "ollama", "url": "http://localhost:11434", "model": "b:2b"},
        "tts": {"protocol": "wyoming", "url": "tcp://localhost:10200", "voice": "nl_NL-x"},
    }
    assert made == []


def test_a_voice_that_the_server_chooses_itself_is_a_comment(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(CHAT, PIPER)
    assert init(tmp_path, "--yes", "--no-run").exit_code == 0
    assert "voice" not in written(tmp_path)["tts"]
    assert (
        "# voice = …   # without it the server's own; it has en_US-joe-medium" in (tmp_path / "probe.toml").read_text()
    )


def test_what_a_server_states_of_its_audio_is_written_where_it_is_not_the_default(
    tmp_path: Path, finding: Callable[..., None]
) -> None:
    magpie = Seen("tts", TTS["magpie"], "ws://localhost:8001/ws/tts/stream", sample_rate=24000)
    finding(CHAT, magpie)
    assert init(tmp_path, "--yes", "--no-run").exit_code == 0
    assert written(tmp_path)["tts"]["sample_rate"] == 24000
    assert "sample_rate" not in choosing._usual_options(replace(magpie, sample_rate=22000))


def test_a_file_that_exists_is_never_touched(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(CHAT, KOKORO)
    (tmp_path / "probe.toml").write_text("mine")
    result = init(tmp_path, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "exists, and is left as it is" in result.stderr
    assert (tmp_path / "probe.toml").read_text() == "mine"


def test_without_a_terminal_nothing_is_chosen(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(CHAT, KOKORO)
    result = init(tmp_path)
    assert (result.exit_code, [*tmp_path.iterdir()]) == (2, [])
    assert "Kokoro-FastAPI" in result.stdout and "--yes takes the first of each kind" in result.stderr


@pytest.mark.parametrize(
    ("servers", "lacks"),
    [((), "no server was found"), ((CHAT,), "no TTS server was found"), ((KOKORO,), "no LLM server was found")],
)
def test_without_a_target_nothing_is_written(
    tmp_path: Path, finding: Callable[..., None], servers: tuple[Seen, ...], lacks: str
) -> None:
    finding(*servers)
    result = init(tmp_path, "--yes")
    assert (result.exit_code, [*tmp_path.iterdir()]) == (1, [])
    assert lacks in result.stderr and "--host" in result.stderr


def test_json_looks_and_with_yes_does_the_rest(tmp_path: Path, finding: Callable[..., None], made: list[Any]) -> None:
    finding(CHAT, KOKORO)
    looked = init(tmp_path, "--json")
    assert (looked.exit_code, [*tmp_path.iterdir()], made) == (0, [], [])
    first = json.loads(looked.stdout)["servers"][0]
    assert first == {
        "role": "llm", "protocol": "openai_chat", "url": "http://localhost:8080/v1", "program": "llama.cpp",
        "version": "b10434", "models": ["qwen3-8b"], "voices": [], "cold": False,
    }  # fmt: skip
    done = json.loads(init(tmp_path, "--json", "--yes").stdout)
    assert (done["target"], done["outcome"], done["chosen"]["tts"]["voice"]) == ("local", "ok", "af_0")
    assert written(tmp_path)["llm"]["model"] == "qwen3-8b"


def test_nothing_that_a_server_says_breaks_the_file_or_the_table(tmp_path: Path, finding: Callable[..., None]) -> None:
    chat = replace(CHAT, sign=Sign(HOSTILE, HOSTILE, (HOSTILE,)))
    finding(chat, replace(KOKORO, voices=(HOSTILE,)))
    result = init(tmp_path, "--yes", "--no-run")
    assert result.exit_code == 0, result.output
    target = written(tmp_path)
    assert set(target) == {"objective_ms", "llm", "tts"}
    assert "\x7f" not in result.stdout


@pytest.mark.parametrize("host", ["", "a/b", "user@spark", "spark:99999", "spark:x", "http://spark", "a b"])
def test_a_host_is_a_host_and_a_port_at_most(tmp_path: Path, host: str) -> None:
    result = init(tmp_path, "--host", host)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no HOST or HOST:PORT" in result.stderr


def test_where_nobody_is_the_reason_is_said(
    tmp_path: Path, finding: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def why(place: Place) -> str:
        return f"{place.host} is unknown"

    monkeypatch.setattr("probe.cli.init.why_nobody", why)
    finding(CHAT, KOKORO)
    result = init(tmp_path, "--host", "nowhere", "--host", "localhost:8080", "--yes", "--no-run")
    assert (result.exit_code, result.stderr) == (0, "nowhere: nowhere is unknown\n")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_fits(width: int) -> None:
    lines = choosing.table_of([CHAT, OLLAMA, KOKORO, PIPER, replace(CHAT, sign=Sign("x" * 80, "y" * 80))], width)
    assert max(map(len, lines)) <= width
    assert "models" not in choosing.table_of([replace(CHAT, sign=Sign(models=("/models/q",)))], 100)[-1]
    assert all(each in "\n".join(lines) for each in ("localhost:11434", "piper 2.5.2", "warm", "cold"))


def test_a_server_that_does_all_of_it_is_a_target_by_itself() -> None:
    agent = replace(CHAT, role="agent")
    alone, beside = choosing.first([agent, KOKORO]), choosing.first([agent, CHAT, KOKORO])
    assert alone is not None and {*alone.servers} == {"agent"}
    assert beside is not None and {*beside.servers} == {"llm", "tts"}


def test_a_target_is_named_after_the_host_of_its_first_server() -> None:
    there = replace(CHAT, url="http://spark.lan:8080/v1")
    choices = [choosing.first([llm, KOKORO]) for llm in (CHAT, there, replace(CHAT, url="http://10.0.0.7:8080/v1"))]
    assert [choice and choice.name for choice in choices] == ["local", "spark", "local"]


def test_each_protocol_is_looked_for_at_its_own_port_and_at_the_others_that_are_usual() -> None:
    asked = {each.port: {protocol.name for _, protocol in each.candidates} for each in to_ask([Place("localhost")])}
    for protocols in PROTOCOLS.values():
        for protocol in protocols.values():
            assert all(protocol.name in asked[port] for port in usual_ports(protocol)), protocol.name
    assert asked[8080] >= {"openai_chat", "openai_speech"} and asked[10200] == {"wyoming"}
    assert {8080, 8000, 11434, 30000, 1234, 8880, 10200, 8001, 8002, 8003} <= set(asked)


def test_at_a_port_that_was_named_every_protocol_is_tried_and_none_twice() -> None:
    (named,) = to_ask([Place("spark", 8080), Place("spark", 8080)])
    assert {each.name for _, each in named.candidates} == {*LLM, *TTS, *AGENT, *STT}
    both = [each for each in to_ask([Place("spark"), Place("spark", 8080)]) if each.port == 8080]
    assert len(both) == 1


def test_ipv6_has_its_brackets() -> None:
    assert lookout._url(LLM["openai_chat"], "::1", 8080) == "http://[::1]:8080/v1"


def test_the_example_has_every_section_that_a_configuration_needs(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(CHAT, KOKORO)
    init(tmp_path, "--yes", "--no-run")
    settings = config.load(tmp_path / "probe.toml")
    assert [*settings.targets] == ["local"]
    assert settings.schedules["default"].every_s == 300


@pytest.mark.parametrize("hearing", [HEARS, SPEACHES, PARAKEET], ids=["wyoming", "transcriptions", "riva"])
def test_a_server_that_hears_comes_in_front_and_there_is_something_to_say(
    tmp_path: Path, finding: Callable[..., None], made: list[Any], hearing: Seen
) -> None:
    finding(CHAT, PIPER, hearing)
    result = init(tmp_path, "--yes")
    assert result.exit_code == 0, result.output
    target = written(tmp_path)
    assert (target["objective_ms"], target["objective_measure"]) == (1500, "voice_to_voice")
    assert target["stt"] == {"protocol": hearing.protocol.name, "url": hearing.url} | (
        {} if hearing is HEARS else {"model": hearing.sign.models[0]}
    )
    (plan,) = made
    assert [*plan.target.servers] == ["llm", "tts", "stt"]
    text = (tmp_path / "probe.toml").read_text()
    spoken = tomllib.loads(text)["scenarios"]["default"]["user_turns"]
    assert spoken == ["What is the weather like on Mars?"]
    # What stands there as a comment is right, too.
    other = text.replace("# user_turns", "user_turns").replace(f"user_turns = {json.dumps(spoken)}\n", "", 1)
    (tmp_path / "other.toml").write_text(other)
    (turn,) = config.load(tmp_path / "other.toml").scenarios["default"].user_turns
    assert "[pause 800ms]" in turn


def test_a_person_may_ask_in_text_all_the_same(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(CHAT, PIPER, HEARS, terminal=True)
    result = init(tmp_path, say="n\n\nn\n")
    assert result.exit_code == 0, result.output
    assert "Ask by voice: the STT server in front of the LLM server" in result.stdout
    target = written(tmp_path)
    assert "stt" not in target and "objective_measure" not in target


def test_a_server_that_hears_is_no_target_by_itself(tmp_path: Path, finding: Callable[..., None]) -> None:
    finding(HEARS, CHAT)
    result = init(tmp_path, "--yes")
    assert (result.exit_code, "no TTS server was found" in result.stderr) == (1, True)
