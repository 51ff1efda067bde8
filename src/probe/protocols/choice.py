"""The protocols of one target's servers, chosen before a run: all that the engine sees of which protocols there are."""

from msgspec import Struct

from probe.protocols.base import LlmConversation, ServerProtocol, TtsConversation


class Protocols(Struct, frozen=True):
    """One per server that a run talks to."""

    llm: ServerProtocol[LlmConversation]
    tts: ServerProtocol[TtsConversation]
