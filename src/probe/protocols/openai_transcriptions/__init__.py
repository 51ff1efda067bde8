"""OpenAI-compatible servers of `POST /v1/audio/transcriptions`: Speaches, LocalAI, vLLM and others that hear."""

from probe.protocols.declaration import ServerProtocol
from probe.protocols.openai_transcriptions.conversation import TranscriptionsConversation
from probe.protocols.openai_transcriptions.options import TranscriptionsOptions

PROTOCOL = ServerProtocol(
    name="openai_transcriptions",
    schemes=("http", "https"),
    default_url="http://localhost:8000/v1",
    framing="http1",
    options=TranscriptionsOptions,
    converse=TranscriptionsConversation,
)
