"""What of the wait for the LLM's first token its server did not count: the network, and the queue in front of it."""

from collections.abc import Sequence

from probe.measures import TurnMeasures
from probe.record import RunRecord, Turn
from probe.server_state import ServerFigures


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


def outside_of_run(record: RunRecord, measured: Sequence[TurnMeasures]) -> float | None:
    """The same of a run's first turn, where the answer itself does not say: by what the server counted meanwhile.

    That is of all requests: it counts where ours was the only one.
    """
    if not record.turns or not measured:
        return None
    if server_ttft_ms(record.turns[0]) is not None or len(record.turns) > 1 or not measured[0].chunks:
        return outside_ms(record.turns[0], measured[0])
    reported = record.reported.get("llm") or record.reported.get("agent") or ServerFigures()
    ours, theirs = measured[0].chunks[0].llm_ttft_ms, reported.first_token_ms
    return None if ours is None or theirs is None or reported.requests != 1 else max(0.0, ours - theirs)
