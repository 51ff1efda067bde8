"""`nvidia.riva.asr.RivaSpeechRecognition`: audio in as it comes, and a final result for each part of the speech."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc  # type: ignore[import-untyped]  # has no stubs

from probe.reference.hearing.engine import HearingError
from probe.reference.hearing.transcriber import Transcriber, Utterance
from probe.reference.riva import messages
from probe.reference.riva.speech import LINEAR_PCM, RATES, RefusedError
from probe.reference.speech.pcm import BYTES_PER_SAMPLE

SERVICE = "nvidia.riva.asr.RivaSpeechRecognition"
# What it says of its one model, as Riva's clients read it.
PARAMETERS = {"language_code": "en-US", "sample_rate": "16000", "streaming": "True", "type": "online", "version": "1"}
# A client that sends nothing for longer holds up the others.
SILENT_S = 10.0


class Recognition:
    """The service. One client is heard at a time; the others wait."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber

    async def streaming(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Answer each part of the speech with what was understood, once there is silence or no more audio."""
        heard, over = 0, False
        try:
            rate = self._rate(await _next(requests))
            while not over:
                async with self._transcriber.utterance(rate) as utterance:
                    size, over = await _hear(utterance, requests)
                    text = await utterance.text()
                heard += size
                if text:
                    yield _final(text, heard / BYTES_PER_SAMPLE / rate)
        except RefusedError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Error: {error}")
        except HearingError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))

    async def config(self, _request: Any, _context: Any) -> Any:
        pairs = [{"key": key, "value": value} for key, value in PARAMETERS.items()]
        return messages.ConfigResponse(model_config=[{"model_name": self._transcriber.model, "parameters": pairs}])

    def _rate(self, first: Any) -> int:
        """Of the audio that follows. Raises RefusedError for what can't be heard."""
        if first is None or not first.HasField("streaming_config"):
            raise RefusedError("the first message must have a streaming_config")
        wanted = first.streaming_config.config
        if wanted.encoding != LINEAR_PCM or wanted.audio_channel_count > 1:
            raise RefusedError("the audio must be LINEAR_PCM, of one channel")
        if wanted.sample_rate_hertz not in RATES:
            raise RefusedError(
                f"sample_rate_hertz {wanted.sample_rate_hertz} is not between {RATES.start} and {RATES.stop - 1}"
            )
        if wanted.language_code.partition("-")[0].lower() not in self._transcriber.languages:
            raise RefusedError(f"language_code {wanted.language_code} is not available")
        if wanted.model not in ("", self._transcriber.model):
            raise RefusedError(f"model {wanted.model} not found")
        rate: int = wanted.sample_rate_hertz
        return rate


async def _hear(utterance: Utterance, requests: AsyncIterator[Any]) -> tuple[int, bool]:
    """Until somebody has spoken and stopped, or the audio ends: how much was heard, and whether that was all."""
    size = 0
    while (request := await _next(requests)) is not None:
        spoke = utterance.speaking
        utterance.hear(request.audio_content)
        size += len(request.audio_content)
        if spoke and not utterance.speaking:
            return size, False
    return size, True


async def _next(requests: AsyncIterator[Any]) -> Any:
    """None at the end. Raises RefusedError where nothing comes."""
    try:
        async with asyncio.timeout(SILENT_S):
            return await anext(requests, None)
    except TimeoutError:
        raise RefusedError(f"nothing for {SILENT_S:g} s") from None


def _final(text: str, heard_s: float) -> Any:
    best = {"transcript": f"{text} ", "confidence": 1.0}
    result = {"alternatives": [best], "is_final": True, "channel_tag": 1, "audio_processed": heard_s}
    return messages.RecognizeResponse(results=[result])
