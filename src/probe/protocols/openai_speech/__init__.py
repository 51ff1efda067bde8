"""`POST /v1/audio/speech` as defined by OpenAI: Kokoro-FastAPI, Speaches, vLLM-Omni, LocalAI, Ollama and others."""

from probe.plan import ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.openai_models import speaking
from probe.protocols.openai_speech import request
from probe.protocols.openai_speech.conversation import SpeechConversation
from probe.protocols.openai_speech.options import SpeechOptions


def _voices(server: ServerPlan) -> tuple[Inquiry[tuple[str, ...] | None], ...]:
    # Servers take OpenAI's names without listing them, so that no list says anything about those.
    if server.options["voice"] in request.OPENAI_VOICES:
        return ()
    return tuple(Inquiry(url, request.voices, server.headers) for url in request.voices_urls(server.url))


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    """A list of voices, or of models that speak: whether it has `/v1/audio/speech` can only be tried."""
    models = Inquiry(request.models_url(server.url), speaking, server.headers)
    return (models, *(Inquiry(url, _has_voices, server.headers) for url in request.voices_urls(server.url)))


def _has_voices(document: bytes) -> Sign | None:
    return None if request.voices(document) is None else Sign()


PROTOCOL = ServerProtocol(
    name="openai_speech",
    schemes=("http", "https"),
    default_url="http://localhost:8880/v1",
    framing="http1",
    options=SpeechOptions,
    converse=SpeechConversation,
    voices=_voices,
    # Speaches and openedai-speech, LocalAI, vLLM-Omni, Orpheus-FastAPI, Chatterbox, Ollama, `probe serve openai`.
    ports=(8000, 8080, 8091, 5005, 4123, 11434, 8003),
    signs=_signs,
)
