"""The protocols of one target's servers, chosen before a run: the engine sees no more of the list of protocols."""

from collections.abc import Callable

from msgspec import Struct

from probe.protocols.base import LlmConversation, Refused, ServerProtocol, TtsConversation
from probe.record import ServerPlan
from probe.transport.framing.base import Refusal


class Protocols(Struct, frozen=True):
    """One per server that a run talks to; and what the answer of one says that refuses a handshake, whatever it speaks.

    Its reason is one of the record's reasons for the stage `connect`.
    """

    llm: ServerProtocol[LlmConversation]
    tts: ServerProtocol[TtsConversation]
    refused_handshake: Callable[[Refusal, ServerPlan], Refused]
