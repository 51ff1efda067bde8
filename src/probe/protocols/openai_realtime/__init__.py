"""OpenAI Realtime over a WebSocket: one server that thinks and speaks, asked in text."""

from probe.protocols.declaration import ServerProtocol
from probe.protocols.openai_realtime.conversation import RealtimeConversation
from probe.protocols.openai_realtime.dialect import dialled
from probe.protocols.openai_realtime.options import RealtimeOptions

PROTOCOL = ServerProtocol(
    name="openai_realtime",
    schemes=("ws", "wss"),
    default_url="ws://localhost:8765/v1/realtime",
    framing="websocket_media",
    options=RealtimeOptions,
    converse=RealtimeConversation,
    dialled=dialled,
)
