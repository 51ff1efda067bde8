"""Whether a run failed because the URLs of the LLM and the TTS server are swapped: the servers are asked."""

import asyncio

from probe.daemon import questions
from probe.plan import ServerPlan
from probe.protocols.registry import PROTOCOLS
from probe.record import RunRecord

# What a server answers to another one's protocol. One that is not there, or that is at work, says none of these.
_CONFUSED = frozenset(
    ("not_websocket", "not_found", "malformed", "server_error", "closed", "wrong_format", "no_stream")
)
_HINT = "are the two URLs swapped? What is meant to be the LLM server lists voices, and the TTS server does not"


def hint(record: RunRecord) -> str | None:
    """What to try where a failure looks like swapped URLs, and the servers answer like that too; else None.

    Takes up to 2 s where it asks.
    """
    if record.failure is None or record.failure.reason not in _CONFUSED or _has_tokens(record):
        return None
    llm, tts = (record.plan.target.servers.get(role) for role in ("llm", "tts"))
    return _HINT if llm is not None and tts is not None and asyncio.run(_swapped(llm, tts)) else None


def _has_tokens(record: RunRecord) -> bool:
    return any(chunk.llm_first_token is not None for turn in record.turns for chunk in turn.chunks)


async def _swapped(llm: ServerPlan, tts: ServerPlan) -> bool:
    at_llm, at_tts = await asyncio.gather(_lists_voices(llm), _lists_voices(tts))
    return at_llm and not at_tts


async def _lists_voices(server: ServerPlan) -> bool:
    """Whether a TTS server answers at this URL. It is asked without the credentials that are another server's."""
    scheme = server.url.partition(":")[0].lower()
    for protocol in PROTOCOLS["tts"].values():
        if scheme in protocol.schemes:
            asked = ServerPlan(protocol.name, server.url, {"voice": "-"})
            if await questions.first(protocol.voices(asked)):
                return True
    return False
