"""`nvidia.riva.tts.RivaSpeechSynthesis` and what else is served over gRPC, by the library of gRPC."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc  # type: ignore[import-untyped]  # has no stubs
import grpc.aio  # type: ignore[import-untyped]  # as above

from probe.reference.hearing.transcriber import Transcriber
from probe.reference.riva import messages, recognition
from probe.reference.riva.speech import MODEL, RefusedError, Speech, Wanted, joined, parameters
from probe.reference.speech.engine import SpeechError

SERVICE = "nvidia.riva.tts.RivaSpeechSynthesis"
HEALTH = "grpc.health.v1.Health"
SERVING = 1


class Synthesis:
    """The service. A call may have several texts: each is spoken when its turn comes."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    async def online(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Answer with samples as they are made. A call that is cancelled is, after the piece that is being made."""
        try:
            async for request in requests:
                async with aclosing(self._speech.spoken(self._wanted(request))) as parts:
                    async for part in parts:
                        yield messages.SpeechResponse(audio=part, id=request.id)
        except RefusedError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Error: {error}")
        except SpeechError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))

    async def whole(self, request: Any, context: Any) -> Any:
        try:
            return messages.SpeechResponse(audio=await joined(self._speech.spoken(self._wanted(request))))
        except RefusedError as error:
            return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Error: {error}")
        except SpeechError as error:
            return await context.abort(grpc.StatusCode.INTERNAL, str(error))

    async def config(self, _request: Any, _context: Any) -> Any:
        pairs = [{"key": key, "value": value} for key, value in parameters().items()]
        return messages.ConfigResponse(model_config=[{"model_name": MODEL, "parameters": pairs}])

    def _wanted(self, request: Any) -> Wanted:
        return self._speech.wanted(
            request.text, request.language_code, request.encoding, request.sample_rate_hz, request.voice_name
        )


def server(speech: Speech, transcriber: Transcriber | None) -> Any:
    """Make the server, bound to nothing yet. It must be made where the event loop runs."""
    synthesis = Synthesis(speech)
    made = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {
        "SynthesizeOnline": grpc.stream_stream_rpc_method_handler(
            synthesis.online, messages.SpeechRequest.FromString, _written
        ),
        "Synthesize": _unary(synthesis.whole, messages.SpeechRequest),
        "GetRivaSynthesisConfig": _unary(synthesis.config, messages.ConfigRequest),
    }
    made.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(SERVICE, handlers),
            grpc.method_handlers_generic_handler(HEALTH, {"Check": _unary(_healthy, messages.HealthRequest)}),
            grpc.method_handlers_generic_handler(recognition.SERVICE, {} if transcriber is None else _of(transcriber)),
        )
    )
    return made


def _of(transcriber: Transcriber) -> dict[str, Any]:
    hearing = recognition.Recognition(transcriber)
    return {
        "StreamingRecognize": grpc.stream_stream_rpc_method_handler(
            hearing.streaming, messages.RecognizeRequest.FromString, _written
        ),
        "GetRivaSpeechRecognitionConfig": _unary(hearing.config, messages.ConfigRequest),
    }


def _unary(answer: Callable[[Any, Any], Awaitable[Any]], request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(answer, request.FromString, _written)


async def _healthy(_request: Any, _context: Any) -> Any:
    return messages.HealthResponse(status=SERVING)


def _written(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
