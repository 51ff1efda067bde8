"""Speech recognition on gRPC's own library: our reference server, with which NVIDIA's own client is content."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import patience
import pytest
from others import program, running

from probe.config import ScenarioConfig, TargetConfig
from probe.daemon import questions
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import ServerPlan, new_plan
from probe.protocols.registry import STT
from probe.record import RunRecord, ServerIdentity
from probe.reference.faults import LlmScript, ScriptedLlm
from probe.reference.faults.llm import last_chunk
from probe.timestamps import milliseconds

SAID = "What is the capital of France?"
PATIENT = {"connect_s": 60, "stt_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 100}
# Of silence, before which it does not take the speech for finished.
SILENCE_MS = 400
# What a person does with NVIDIA's client; each line of its output is asked for below.
CLIENT = """
import sys, grpc, riva.client
from riva.client.proto import riva_asr_pb2
auth = riva.client.Auth(uri=sys.argv[1])
asr, tts = riva.client.ASRService(auth), riva.client.SpeechSynthesisService(auth)
(model,) = asr.stub.GetRivaSpeechRecognitionConfig(riva_asr_pb2.RivaSpeechRecognitionConfigRequest()).model_config
print(model.model_name, model.parameters["language_code"])
said = tts.synthesize("What is the capital of France?", sample_rate_hz=16000).audio + bytes(32000)

def heard(pcm, language="en-US"):
    config = riva.client.StreamingRecognitionConfig(
        config=riva.client.RecognitionConfig(
            encoding=riva.client.AudioEncoding.LINEAR_PCM, language_code=language, max_alternatives=1,
            sample_rate_hertz=16000, audio_channel_count=1, enable_automatic_punctuation=True,
        ),
        interim_results=True,
    )
    riva.client.add_endpoint_parameters_to_config(config, -1, -1.0, 320, -1, -1.0, -1.0)
    pieces = [pcm[at : at + 3200] for at in range(0, len(pcm), 3200)]
    return [result for each in asr.streaming_response_generator(pieces, config) for result in each.results]

for pcm in (said, said * 2):
    results = heard(pcm)
    print(len(results), all(each.is_final for each in results), results[-1].alternatives[0].transcript)
print(heard(bytes(32000)))
try:
    heard(said, "xx-XX")
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of `probe serve riva`, which speaks and hears."""
    own = ("--port", "0", "--http-port", "0", "--silence-ms", str(SILENCE_MS))
    command = (sys.executable, "-m", "probe", "serve", "riva", *own)
    with running(tmp_path_factory.mktemp("riva"), *command, PYTHONPATH=os.pathsep.join(sys.path)) as server:
        yield server.says(r"it hears, too: url = \"(grpc://[^\"]+)\"")


async def run(url: str, kept: Path, said: str = SAID, **options: Any) -> RunRecord:
    async with ScriptedLlm(LlmScript(turns=((last_chunk(" It is Paris."),),))) as llm:
        target = TargetConfig.of(
            llm={"url": llm.url}, tts={"url": url}, stt={"url": url, **options}, limits=PATIENT, objective_ms=100_000
        )
        plan = new_plan(target.record("riva"), ScenarioConfig.of(user_turns=[said]).record("default"), speech_dir=kept)
        return (await measure(plan, patience.PATIENT)).record


async def test_real_speech_is_understood_when_the_probe_ends_it(url: str, tmp_path: Path) -> None:
    # More of it than a server of gRPC takes without saying that it takes more.
    record = await run(url, tmp_path, " ".join([SAID] * 3))
    assert outcome(record) == "ok", record.failure or record.doubts
    (turn,), (measured,) = record.turns, measure_run(record)
    heard = turn.heard
    assert heard is not None and heard.speech_start is not None and heard.speech_end is not None
    assert milliseconds(heard.speech_end - heard.speech_start) > 1000 * 2**16 / 32_000
    assert {"capital", "france"} <= set(heard.transcript.split()[-4:])
    assert measured.endpointing_ms is None, "the probe knows it"
    assert 0 < (measured.transcription_ms or 0) < (measured.voice_to_voice_ms or 0)
    plan = ServerPlan("riva", url, {"language": "en-US"})
    assert await questions.identity(STT["riva"].identity(plan)) == ServerIdentity("en-us", "1")
    assert await questions.first(STT["riva"].cold(plan)) is False


async def test_real_speech_is_understood_when_the_server_finds_its_end(url: str, tmp_path: Path) -> None:
    record = await run(url, tmp_path, endpointing="server")
    assert outcome(record) == "ok", record.failure or record.doubts
    (turn,), (measured,) = record.turns, measure_run(record)
    assert turn.heard is not None and {"capital", "france"} <= set(turn.heard.transcript.split())
    assert measured.endpointing_ms is None
    assert SILENCE_MS - 150 < (measured.transcription_ms or 0) < (measured.voice_to_voice_ms or 0)


async def test_a_language_that_it_lacks_is_refused(url: str, tmp_path: Path) -> None:
    record = await run(url, tmp_path, language="xx-XX")
    assert record.failure is not None and (record.failure.stage, record.failure.reason) == ("stt", "server_error")
    assert "INVALID_ARGUMENT from StreamingRecognize" in record.failure.detail
    assert "language_code xx-XX is not available" in " ".join(record.said)


@pytest.mark.servers
def test_nvidias_own_client_is_content_with_it(url: str) -> None:
    python = program("python", "nothing more")
    address = url.removeprefix("grpc://")
    said = subprocess.run(
        [python, "-c", CLIENT, address], check=True, capture_output=True, text=True, timeout=100
    ).stdout.splitlines()
    assert said[0] == "en-us en-US"
    for line, parts in zip(said[1:3], ("1", "2"), strict=True):
        number, final, *words = line.split()
        assert (number, final) == (parts, "True")
        assert {"capital", "france"} <= set(words)
    assert said[3:] == ["[]", "INVALID_ARGUMENT Error: language_code xx-XX is not available"]
