"""OpenAI-compatible servers of `POST /v1/audio/transcriptions`: Speaches, LocalAI, vLLM and others that hear."""

from urllib.parse import urlsplit, urlunsplit

from probe.plan import ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.openai_models import hearing
from probe.protocols.openai_transcriptions.conversation import TranscriptionsConversation
from probe.protocols.openai_transcriptions.options import TranscriptionsOptions


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    """A list of models that hear: whether it has `/v1/audio/transcriptions` can only be tried."""
    parts = urlsplit(server.url)
    models = urlunsplit((*parts[:2], f"{parts.path.rstrip('/')}/models", *parts[3:]))
    return (Inquiry(models, hearing, server.headers),)


PROTOCOL = ServerProtocol(
    name="openai_transcriptions",
    schemes=("http", "https"),
    default_url="http://localhost:8000/v1",
    framing="http1",
    options=TranscriptionsOptions,
    converse=TranscriptionsConversation,
    # LocalAI.
    ports=(8080,),
    signs=_signs,
)
