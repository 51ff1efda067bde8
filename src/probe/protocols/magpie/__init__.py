"""The Magpie TTS server, older and newer version."""

from probe.plan import ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.magpie import codec
from probe.protocols.magpie.conversation import MagpieConversation
from probe.protocols.magpie.options import MagpieOptions


def _voices(server: ServerPlan) -> tuple[Inquiry[tuple[str, ...] | None], ...]:
    return (Inquiry(codec.config_url(server.url), codec.voices, server.headers),)


def _sample_rate(server: ServerPlan) -> Inquiries[int | None]:
    return (Inquiry(codec.config_url(server.url), codec.sample_rate, server.headers),)


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    return (Inquiry(codec.config_url(server.url), codec.sign, server.headers),)


PROTOCOL = ServerProtocol(
    name="magpie",
    schemes=("ws", "wss"),
    default_url="ws://localhost:8001/ws/tts/stream",
    framing="websocket",
    silent_if_voice_unknown=True,
    options=MagpieOptions,
    converse=MagpieConversation,
    voices=_voices,
    sample_rate=_sample_rate,
    signs=_signs,
)
