"""The protocols of one target's servers, chosen before a run: all that the engine sees of which protocols there are."""

from dataclasses import dataclass

from probe.protocols.base import LlmConversation, ServerProtocol, TtsConversation


@dataclass(frozen=True, slots=True)
class Protocols:
    """One per server that a run talks to."""

    llm: ServerProtocol[LlmConversation]
    tts: ServerProtocol[TtsConversation]
