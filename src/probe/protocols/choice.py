"""The protocols of one target's servers, chosen before a run: the engine sees no more of the list of protocols."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from probe.plan import Role, ServerPlan
from probe.protocols.base import Refused
from probe.protocols.declaration import ServerProtocol
from probe.transport.framing.base import Refusal


class Protocols(Struct, frozen=True):
    """One per server of a target; and what the answer of one says that refuses a handshake, whatever it speaks.

    Its reason is one of the record's reasons for the stage `connect`. Of a target's servers, an LLM server's protocol
    makes an LlmConversation, a TTS server's a TtsConversation, an STT server's an SttConversation, an agent's an
    AgentConversation.
    """

    of: Mapping[Role, ServerProtocol[Any]]
    refused_handshake: Callable[[Refusal, ServerPlan], Refused]
