"""Ollama's own `/api/chat`: unlike its OpenAI-compatible API, it says how long a model took to load."""

from urllib.parse import urlsplit

from probe.plan import ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.fields import http_url
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.ollama.conversation import OllamaConversation
from probe.protocols.ollama.options import OllamaOptions
from probe.protocols.ollama_pages import has, listing, not_loaded, version
from probe.record import ServerIdentity


def _identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    """Its version, and whether it has the model at all."""
    wanted = server.options.get("model")
    return (
        Inquiry(_address(server, "/api/version"), version, server.headers),
        Inquiry(_address(server, "/api/tags"), lambda document: has(document, wanted), server.headers),
    )


def _cold(server: ServerPlan) -> Inquiries[bool | None]:
    wanted = server.options.get("model")
    return (Inquiry(_address(server, "/api/ps"), lambda document: not_loaded(document, wanted), server.headers),)


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    """What is loaded, then what there is."""
    return tuple(Inquiry(_address(server, path), listing, server.headers) for path in ("/api/ps", "/api/tags"))


def _address(server: ServerPlan, path: str) -> str:
    return http_url(server.url, urlsplit(server.url).path.rstrip("/") + path)


PROTOCOL = ServerProtocol(
    name="ollama",
    schemes=("http", "https"),
    default_url="http://localhost:11434",
    framing="http1",
    options=OllamaOptions,
    converse=OllamaConversation,
    identity=_identity,
    cold=_cold,
    signs=_signs,
)
