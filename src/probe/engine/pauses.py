"""The flow of a plan, and where its chunks end: it depends on who cuts the answer, the scenario or the TTS server."""

from dataclasses import replace

from probe.engine.answer_limit import OVERRUN
from probe.plan import Pause, Plan
from probe.protocols.base import Terms
from probe.protocols.choice import Protocols

# No server that pauses makes longer chunks.
_LONGEST = 500


def settled(plan: Plan, protocols: Protocols) -> Plan:
    """The plan as it is carried out. An answer that the TTS server cuts is one chunk, whatever the scenario says.

    One that runs on is cut off where any is that comes to no end of a chunk; a server that pauses learns where.
    """
    servers, limits = plan.target.servers, plan.target.limits
    if "tts" not in servers or not protocols.of["tts"].takes_pieces(servers["tts"]):
        return plan
    pausing = protocols.of["llm"].converse(Terms(servers["llm"], plan.run_id, limits.llm_s)).pausing
    most = plan.scenario.max_answer_tokens
    whole = Pause(max_tokens=min(_LONGEST, OVERRUN * most)) if pausing and most is not None else Pause()
    return replace(plan, scenario=replace(plan.scenario, first_pause=whole, next_pause=whole, flow="streamed"))
