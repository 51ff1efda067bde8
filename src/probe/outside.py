"""What of the wait for the LLM's first token its server did not count: the network, and the queue in front of it."""

from probe.measures import TurnMeasures
from probe.record import Turn


def server_ttft_ms(turn: Turn) -> float | None:
    """From the start of its work to its first token, as the LLM server measured it; None where it does not say."""
    if turn.server_ttft_ms is not None:
        return turn.server_ttft_ms
    return turn.chunks[0].server_ttft_ms if turn.chunks else None


def outside_ms(turn: Turn, measured: TurnMeasures) -> float | None:
    """Our TTFT of the turn's first chunk without what the server counted; None where one of both is not known.

    Servers round, and each begins to count at another moment: less than nothing is none.
    """
    ours = measured.chunks[0].llm_ttft_ms if measured.chunks else None
    theirs = server_ttft_ms(turn)
    return None if ours is None or theirs is None else max(0.0, ours - theirs)
