"""Whole runs with a Riva server: one that answers by script, and ours, with which NVIDIA's own client is content."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import patience
import pytest
import trustme
from others import program, running

from probe.config import ScenarioConfig, TargetConfig
from probe.daemon import questions
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import ServerPlan, new_plan
from probe.protocols.registry import TTS
from probe.record import RunRecord, ServerIdentity
from probe.reference.faults import LlmScript, ScriptedLlm, Stall, http2_steps
from probe.reference.faults.llm import HEALTHY_TURN
from probe.reference.faults.riva import SYNTHESIZE, RivaConnection, RivaScript, ScriptedRiva, asked
from probe.transport import opening

PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 100}
VOICES = ("Reference.EN-US.John", "Reference.EN-US.Sofia", "Reference.EN-US.Aria", "Reference.EN-US.Jason",
          "Reference.EN-US.Leo")  # fmt: skip
# What a person does with NVIDIA's client; each line of its output is asked for below.
CLIENT = """
import sys, grpc, riva.client
from riva.client.proto import health_pb2, health_pb2_grpc, riva_tts_pb2
auth = riva.client.Auth(uri=sys.argv[1], metadata_args=[["function-id", "f"], ["authorization", "Bearer k"]])
speech = riva.client.SpeechSynthesisService(auth)
(model,) = speech.stub.GetRivaSynthesisConfig(riva_tts_pb2.RivaSynthesisConfigRequest()).model_config
print(model.model_name, model.parameters["voice_name"], model.parameters["subvoices"])
pieces = [len(each.audio) for each in speech.synthesize_online("Hello there.", voice_name="Reference.EN-US.Leo")]
print(len(pieces) > 3, sum(pieces))
print(sum(len(each.audio) for each in speech.synthesize_online(["Hello there.", "Hello there."], sample_rate_hz=16000)))
print(len(speech.synthesize("Hello there.").audio))
for wrong in ({"voice_name": "nobody"}, {"language_code": "xx-XX"}, {"sample_rate_hz": 7}):
    try:
        list(speech.synthesize_online("Hello.", **wrong))
    except grpc.RpcError as error:
        print(error.code().name, error.details().split(";")[0])
"""


async def run(url: str, *, turns: int = 1, limits: dict[str, float] | None = None, **options: Any) -> RunRecord:
    async with ScriptedLlm(LlmScript(turns=(HEALTHY_TURN,))) as llm_server:
        tts = {"url": url, **options}
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts=tts, limits=PATIENT | (limits or {}), objective_ms=100_000
        )
        scenario = ScenarioConfig.of(turns=turns, turn_pause_s=0.0)
        plan = new_plan(target.record("riva"), scenario.record("default"))
        return (await measure(plan, patience.PATIENT)).record


# One that answers by script


async def test_each_text_is_a_call_on_one_connection() -> None:
    async with ScriptedRiva() as server:
        record = await run(server.url, turns=2, voice="Scripted.Aria", headers={"function-id": "f"})
    assert outcome(record) == "ok", record.failure
    calls, bodies = server.log.received("http"), server.log.received("body")
    assert [(each.connection, each.data.split()[1].decode()) for each in calls] == [(1, SYNTHESIZE)] * 4
    assert {each.headers["function-id"] for each in calls} == {"f"}
    assert {each.headers["traceparent"].split("-")[1] for each in calls} == {record.plan.trace_id}
    assert {each.headers["grpc-timeout"] for each in calls} == {"120000m"}
    texts = [chunk.text for turn in record.turns for chunk in turn.chunks]
    assert [asked(each.data) for each in bodies] == [
        {1: text, 2: "en-US", 3: 1, 4: 22_050, 5: "Scripted.Aria"} for text in texts
    ]
    chunks = [chunk for turn in record.turns for chunk in turn.chunks]
    assert {(chunk.sample_rate, chunk.segment_end) for chunk in chunks} == {(22_050, "end")}
    assert [round(each.audio_duration_ms or 0) for each in measure_run(record)[0].chunks] == [300, 300]


async def test_all_texts_of_a_turn_may_go_into_one_call() -> None:
    begun = http2_steps.speech()[:-1]
    script = RivaScript(answers=(begun, begun[1:]) * 2, on_end=(http2_steps.OK,))
    async with ScriptedRiva(script) as server:
        record = await run(server.url, turns=2, mode="stitched", gap_ms=600)
    assert outcome(record) == "ok", record.failure
    assert [each.headers["x-stream"] for each in server.log.received("http")] == ["1", "1", "3", "3"]
    assert len(server.log.received("ended")) == 2
    assert [asked(each.data)[1] for each in server.log.received("body")] == [
        chunk.text for turn in record.turns for chunk in turn.chunks
    ]
    assert [chunk.segment_end for chunk in record.turns[0].chunks] == ["gap", "done"]
    # The wait for the pause is ours, and in no latency of the server.
    assert all((each.tts_gen_time_ms or 999) < 600 for each in measure_run(record)[0].chunks)


async def test_a_run_that_ends_early_gives_its_call_up() -> None:
    begun = (*http2_steps.speech()[:-1], Stall())
    async with ScriptedRiva(RivaScript(answers=(begun,))) as server:
        record = await run(server.url, limits={"run_s": 0.5})
        assert record.failure is not None and record.failure.reason == "run_deadline"
        reset = await server.log.until(lambda entry: entry.kind == "reset")
    assert int.from_bytes(reset.data, "big") == 8


async def test_it_speaks_tls_where_the_server_agrees_to_http2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    agreed = []

    class Agreeing(RivaConnection):
        async def read_all(self) -> None:
            agreed.append(self._writer.get_extra_info("ssl_object").selected_alpn_protocol())
            await super().read_all()

    class Server(ScriptedRiva):
        connection_type = Agreeing

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    opening.tls_context_of_http2.cache_clear()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    theirs.set_alpn_protocols(["h2", "http/1.1"])
    async with Server(tls=theirs) as server:
        assert server.url.startswith("grpcs://")
        record = await run(server.url)
    opening.tls_context_of_http2.cache_clear()
    assert outcome(record) == "ok", record.failure
    assert agreed == ["h2"]


async def test_a_server_that_can_not_be_asked_is_unknown_at_once() -> None:
    async with ScriptedRiva(RivaScript(others={})) as server:
        plan = ServerPlan("riva", server.url, {})
        assert await questions.identity(TTS["riva"].identity(plan)) == ServerIdentity()
        assert await questions.first(TTS["riva"].cold(plan)) is None
        assert len(server.log.sent("end")) == 2


# Ours, on gRPC's own library and a real engine


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """By protocol."""
    command = (sys.executable, "-m", "probe", "serve", "riva", "--port", "0", "--http-port", "0")
    with running(tmp_path_factory.mktemp("riva"), *command, PYTHONPATH=os.pathsep.join(sys.path)) as server:
        said = server.says(r"listening on (grpc://\S+ and http://\S+)").split(" and ")
        yield dict(zip(("riva", "riva_http"), said, strict=True))


@pytest.mark.parametrize("name", ["riva", "riva_http"])
async def test_real_speech_is_measured(urls: dict[str, str], name: str) -> None:
    url = urls[name]
    record = await run(url, turns=2, protocol=name, voice=VOICES[4], sample_rate=16_000)
    assert outcome(record) == "ok", record.failure or record.doubts
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        for chunk, figures in zip(turn.chunks, measured.chunks, strict=True):
            assert (chunk.sample_rate, chunk.segment_end) == (16_000, "end")
            assert len(chunk.frames) > 3
            assert figures.audio_duration_ms is not None and 300 < figures.audio_duration_ms < 5000
    plan = ServerPlan(name, url, {})
    assert await questions.identity(TTS[name].identity(plan)) == ServerIdentity("Reference", "1")
    assert await questions.first(TTS[name].voices(plan)) == VOICES
    assert await questions.first(TTS[name].cold(plan)) is False


@pytest.mark.parametrize("name", ["riva", "riva_http"])
async def test_an_unknown_voice_is_named(urls: dict[str, str], name: str) -> None:
    record = await run(urls[name], protocol=name, voice="nobody")
    assert record.failure is not None and (record.failure.stage, record.failure.reason) == ("tts", "unknown_voice")
    assert "voice nobody not found" in " ".join(record.said)


@pytest.mark.servers
def test_nvidias_own_client_is_content_with_it(urls: dict[str, str]) -> None:
    python = program("python", "nothing more")
    said = subprocess.run(
        [python, "-c", CLIENT, urls["riva"].removeprefix("grpc://")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()
    listed = ",".join(f"{name.removeprefix('Reference.')}:{number}" for number, name in enumerate(VOICES))
    assert said[0] == f"Reference Reference {listed}"
    once, twice, whole = said[1].removeprefix("True "), *said[2:4]
    # Twice the same text at another rate; the voices speak at different speeds.
    assert 20_000 < int(once) < 200_000 and abs(int(twice) / int(whole) - 2 * 16_000 / 22_050) < 0.05
    assert said[4:] == [
        "INVALID_ARGUMENT Error: voice nobody not found",
        "INVALID_ARGUMENT Error: language_code xx-XX is not available",
        "INVALID_ARGUMENT Error: sample_rate_hz 7 is not between 8000 and 48000",
    ]
