"""Against three servers of `/v1/audio/speech` that are not ours, and that differ: what they state, what they refuse."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import patience
import pytest
from other_speech import VOICE, gateway, loudness, studio

from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm
from probe.reference.faults.llm import HEALTHY_TURN, LlmTurn, last_chunk

pytestmark = pytest.mark.servers

# The first synthesis loads the voice.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 120, "run_s": 170}
STREAMED = {"extra_body": {"stream": True}}
LONG = last_chunk(" I am here, and I am glad to speak to you." * 10)
Serve = Callable[[str], str]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return the base URL of one of them, which is started when it is first asked for."""
    kinds = {"studio": studio, "loudness": loudness, "gateway": gateway}
    urls: dict[str, str] = {}
    with ExitStack() as servers:

        def url_of(name: str) -> str:
            if name not in urls:
                urls[name] = servers.enter_context(kinds[name](tmp_path_factory.mktemp(name)))
            return urls[name]

        yield url_of


async def run(url: str, turn: LlmTurn = HEALTHY_TURN, **options: Any) -> RunRecord:
    async with ScriptedLlm(LlmScript(turns=(turn,))) as llm_server:
        target = TargetConfig.of(
            llm={"url": llm_server.url},
            tts={"url": url, "model": "any", "voice": VOICE, **options},
            limits=PATIENT,
            objective_ms=100_000,
        )
        planned = new_plan(target.record("others"), ScenarioConfig.of().record("default"))
        return (await measure(planned, tolerance=patience.PATIENT)).record


@pytest.mark.parametrize(
    ("name", "options", "rate"),
    [
        ("studio", {"response_format": "pcm", "sample_rate": 48000}, 22050),
        ("studio", {"response_format": "wav", "sample_rate": 48000}, 22050),
        ("loudness", {"response_format": "pcm", "sample_rate": 24000}, 24000),
        ("loudness", {"response_format": "wav", "sample_rate": 48000}, 22050),
        ("gateway", {"sample_rate": 48000}, 22050),
        ("gateway", {"sample_rate": 48000, **STREAMED}, 22050),
    ],
    ids=["studio-pcm", "studio-wav", "loudness-pcm", "loudness-wav", "gateway-whole", "gateway-streamed"],
)
async def test_its_speech_is_measured_at_its_rate(serve: Serve, name: str, options: dict[str, Any], rate: int) -> None:
    """The answer itself has priority over the configuration; raw samples of `loudness-tts` come without one."""
    record = await run(serve(name), **options)
    assert outcome(record) == "ok", record.failure or record.doubts
    (measured,) = measure_run(record)
    for chunk, figures in zip(record.turns[0].chunks, measured.chunks, strict=True):
        assert chunk.sample_rate == rate and chunk.segment_end == "end"
        assert figures.audio_duration_ms is not None and 300 < figures.audio_duration_ms < 5000
        assert figures.tts_ttfb_ms is not None and figures.tts_ttfb_ms > 0


async def first_byte(url: str, **options: Any) -> float:
    """After which part of the time for ten sentences the first sample came, of a voice that is loaded."""
    await run(url, **options)
    record = await run(url, (LONG,), **options)
    assert outcome(record) == "ok", record.failure or record.doubts
    (spoken,) = record.turns[0].chunks
    assert spoken.tts_text_sent and spoken.tts_first_audio and spoken.tts_segment_done
    return (spoken.tts_first_audio - spoken.tts_text_sent) / (spoken.tts_segment_done - spoken.tts_text_sent)


async def test_what_is_streamed_begins_long_before_its_end(serve: Serve) -> None:
    """`wyoming-piper` sends each sentence when it is made: the first takes a fifth of the time, or less."""
    assert await first_byte(serve("gateway"), **STREAMED) < 0.5


async def test_the_head_of_a_response_is_no_first_byte(serve: Serve) -> None:
    """`loudness-tts` sends the head with the first sentence made, and every sample after the last one."""
    assert await first_byte(serve("loudness"), response_format="pcm") > 0.5


@pytest.mark.parametrize(
    ("name", "options", "reason", "said"),
    [
        ("loudness", {"voice": "nobody"}, "unknown_voice", "No voice called 'nobody'"),
        ("loudness", {"voice": "alloy"}, "unavailable", "not downloaded"),
        ("gateway", {"voice": "nobody"}, "server_error", "No AudioStart event"),
        # Its answer is empty: its list of voices says why.
        ("gateway", {"voice": "nobody", **STREAMED}, "unknown_voice", "it has the voices"),
    ],
    ids=["loudness-unknown", "loudness-absent", "gateway-whole", "gateway-streamed"],
)
async def test_a_voice_that_it_lacks_is_named(
    serve: Serve, name: str, options: dict[str, Any], reason: str, said: str
) -> None:
    record = await run(serve(name), **options)
    failure = record.failure
    assert failure is not None and (failure.stage, failure.reason) == ("tts", reason)
    assert said in " ".join(record.said)
