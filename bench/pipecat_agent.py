"""A voice agent made of pipecat on Wyoming servers, which is spoken to: what it reports, and a recording of each turn.

Not started by hand, but by bench/pipecat_beside.py, with the Python of `make pipecat`: pipecat_agent.py CONFIGURATION,
which is the JSON of `Conversation`. It prints one line of JSON for each turn. pipecat has no services for Wyoming;
those here call its metrics where its own services for Whisper and Piper do.
"""

import asyncio
import json
import sys
import time
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMUpdateSettingsFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.observers.service_metrics_observer import ServiceMetricsObserver
from pipecat.observers.user_bot_latency_observer import LatencyBreakdown, UserBotLatencyObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner
from two_tracks import Piece, write
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.tts import Synthesize

FRAME_S = 0.02
HEAR_RATE, SPEAK_RATE = 16_000, 22_050
# Silence before a turn, so that voice activity detection knows the room.
QUIET_S = 1.5
# pipecat gives up an answer, a transcript or its own measurement of it after 2 to 5 s, which a busy machine takes.
PATIENT_S = 60.0
TURN_S = 180


@dataclass(frozen=True)
class Conversation:
    stt: str
    llm: str
    tts: str
    recording: str
    system_prompt: str
    max_tokens: int
    turns: int
    folder: str


class WyomingStt(SegmentedSTTService):
    """Hands over each segment of speech, once voice activity detection has found its end."""

    def __init__(self, url: str) -> None:
        settings = STTSettings(model=None, language=None)
        super().__init__(settings=settings, ttfs_p99_latency=PATIENT_S, stt_ttfb_timeout=PATIENT_S)
        self._url = url

    @property
    def wants_wav_segments(self) -> bool:
        return False

    def can_generate_metrics(self) -> bool:
        return True

    async def run_stt(self, audio: bytes) -> AsyncIterator[Frame]:
        await self.start_processing_metrics()
        async with AsyncClient.from_uri(self._url) as client:
            await client.write_event(Transcribe().event())
            await client.write_event(AudioStart(HEAR_RATE, 2, 1).event())
            await client.write_event(AudioChunk(HEAR_RATE, 2, 1, audio).event())
            await client.write_event(AudioStop().event())
            while (event := await client.read_event()) is not None and not Transcript.is_type(event.type):
                pass
        await self.stop_processing_metrics()
        if event is not None and (text := Transcript.from_event(event).text.strip()):
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601())


class WyomingTts(TTSService):
    """Asks for each sentence on a connection of its own."""

    def __init__(self, url: str) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        pushed = {"push_start_frame": True, "push_stop_frames": True, "stop_frame_timeout_s": PATIENT_S}
        super().__init__(settings=settings, **pushed)
        self._url = url

    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncIterator[Frame]:
        await self.start_tts_usage_metrics(text)
        pieces = self._spoken(text)
        async for frame in self._stream_audio_frames_from_iterator(
            pieces, in_sample_rate=SPEAK_RATE, context_id=context_id
        ):
            await self.stop_ttfb_metrics()
            yield frame

    async def _spoken(self, text: str) -> AsyncIterator[bytes]:
        async with AsyncClient.from_uri(self._url) as client:
            await client.write_event(Synthesize(text=text).event())
            while (event := await client.read_event()) is not None and not AudioStop.is_type(event.type):
                if AudioChunk.is_type(event.type):
                    yield AudioChunk.from_event(event).audio


class Microphone(BaseInputTransport):
    """Always on: silence, or the recording once `say` is called."""

    def __init__(self, params: TransportParams, recording: list[bytes]) -> None:
        super().__init__(params)
        self._recording = recording
        self._frames: Iterator[bytes] = iter(())
        self.said: list[Piece] = []

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._task = self.create_task(self._record())

    async def cleanup(self) -> None:
        await self.cancel_task(self._task)
        await super().cleanup()

    def say(self) -> None:
        self.said = []
        self._frames = iter(self._recording)

    async def _record(self) -> None:
        silence = bytes(round(FRAME_S * HEAR_RATE) * 2)
        began, number = time.monotonic(), 0
        while True:
            number += 1
            await asyncio.sleep(began + number * FRAME_S - time.monotonic())
            audio = next(self._frames, silence)
            self.said.append(Piece(time.monotonic(), HEAR_RATE, audio))
            await self.push_audio_frame(InputAudioRawFrame(audio, HEAR_RATE, 1))


class Loudspeaker(BaseOutputTransport):
    """Takes audio as fast as it is played, as pipecat's transport over a WebSocket does."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._free = 0.0
        self.heard: list[Piece] = []

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        piece = Piece(time.monotonic(), frame.sample_rate, frame.audio)
        self.heard.append(piece)
        self._free = max(self._free, piece.at) + piece.seconds
        # Half a piece ahead, so that the next one is there in time.
        await asyncio.sleep(max(0.0, self._free - piece.seconds / 2 - time.monotonic()))
        return True


class Over(BaseObserver):
    """Sees what was understood, and when an answer was spoken to its end."""

    def __init__(self) -> None:
        super().__init__(observe_every_push=False)
        self.over = asyncio.Event()
        self.understood = ""

    async def on_push_frame(self, data: FramePushed) -> None:
        if isinstance(data.frame, TranscriptionFrame):
            self.understood = data.frame.text
        elif isinstance(data.frame, BotStoppedSpeakingFrame):
            self.over.set()


def observers(reported: dict[str, Any]) -> list[BaseObserver]:
    """Those of pipecat itself, whose figures go into `reported`: milliseconds, and a time of the wall clock."""
    latency, service = UserBotLatencyObserver(), ServiceMetricsObserver()

    @latency.event_handler("on_latency_measured")
    async def _(_: object, seconds: float) -> None:
        reported["latency"] = seconds * 1000

    @latency.event_handler("on_latency_breakdown")
    async def _(_: object, found: LatencyBreakdown) -> None:
        reported["ttfb"] = {each.processor: each.duration_secs * 1000 for each in found.ttfb}
        reported["parts"] = {each.label: each.duration_secs * 1000 for each in found.contributions}
        reported["since"] = found.user_turn_start_time

    @service.event_handler("on_service_latency")
    async def _(_: object, record: Any) -> None:
        if record.kind == "ttfa":
            reported.setdefault("ttfa", record.seconds * 1000)

    return [latency, service]


@dataclass(frozen=True)
class Agent:
    microphone: Microphone
    loudspeaker: Loudspeaker
    context: LLMContext
    worker: PipelineWorker
    over: Over
    reported: dict[str, Any]


def agent(chosen: Conversation) -> Agent:
    """With the defaults of pipecat, except for its limits of time."""
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    microphone, loudspeaker = Microphone(params, frames(chosen.recording)), Loudspeaker(params)
    settings = OpenAILLMService.Settings(model="default", temperature=0, max_tokens=chosen.max_tokens)
    llm = OpenAILLMService(api_key="none", base_url=chosen.llm, settings=settings)
    listening = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer(), user_turn_stop_timeout=PATIENT_S)
    context = LLMContext()
    heard, said = LLMContextAggregatorPair(context, user_params=listening)
    reported: dict[str, Any] = {}
    over = Over()
    worker = PipelineWorker(
        Pipeline([microphone, WyomingStt(chosen.stt), heard, llm, WyomingTts(chosen.tts), loudspeaker, said]),
        params=PipelineParams(audio_in_sample_rate=HEAR_RATE, audio_out_sample_rate=SPEAK_RATE, enable_metrics=True),
        observers=[*observers(reported), over],
    )
    return Agent(microphone, loudspeaker, context, worker, over, reported)


def frames(recording: str) -> list[bytes]:
    with wave.open(recording, "rb") as file:
        size = round(FRAME_S * file.getframerate())
        return [*iter(lambda: file.readframes(size), b"")]


async def turn(asked: Agent, prompt: str, recording: Path) -> dict[str, Any]:
    """Speak to it once, in a conversation that no server has seen."""
    asked.reported.clear()
    asked.over.over.clear()
    await asyncio.sleep(QUIET_S)
    asked.context.set_messages([])
    settings = OpenAILLMService.Settings(system_instruction=prompt)
    await asked.worker.queue_frame(LLMUpdateSettingsFrame(delta=settings))
    asked.loudspeaker.heard = []
    asked.microphone.say()
    await asyncio.wait_for(asked.over.over.wait(), TURN_S)
    begin = write(recording, asked.microphone.said, asked.loudspeaker.heard) + time.time() - time.monotonic()
    return {**asked.reported, "understood": asked.over.understood, "recording": str(recording), "begin": begin}


async def converse(chosen: Conversation) -> None:
    asked, runner = agent(chosen), WorkerRunner()
    await runner.add_workers(asked.worker)
    running = asyncio.create_task(runner.run())
    for number in range(chosen.turns):
        prompt = f"Conversation {number}.\n{chosen.system_prompt}"
        found = await turn(asked, prompt, Path(chosen.folder) / f"pipecat-{number}.wav")
        print(json.dumps(found), flush=True)
    await asked.worker.queue_frame(EndFrame())
    await running


if __name__ == "__main__":
    asyncio.run(converse(Conversation(**json.loads(sys.argv[1]))))
