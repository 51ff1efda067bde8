"""`POST /v1/audio/speech` as defined by OpenAI: Kokoro-FastAPI, Speaches, vLLM-Omni, LocalAI, Ollama and others."""

from probe.protocols.base import ServerProtocol
from probe.protocols.inquiries import Inquiry
from probe.protocols.openai_speech import request
from probe.protocols.openai_speech.conversation import SpeechConversation
from probe.protocols.openai_speech.options import SpeechOptions
from probe.record import ServerPlan


def _voices(server: ServerPlan) -> tuple[Inquiry[tuple[str, ...] | None], ...]:
    # Servers take OpenAI's names without listing them, so that no list says anything about those.
    if server.options["voice"] in request.OPENAI_VOICES:
        return ()
    return tuple(Inquiry(url, request.voices, server.headers) for url in request.voices_urls(server.url))


PROTOCOL = ServerProtocol(
    name="openai_speech",
    schemes=("http", "https"),
    default_url="http://localhost:8880/v1",
    framing="http1",
    options=SpeechOptions,
    converse=SpeechConversation,
    voices=_voices,
)
