"""What a server reports of itself: at one moment, and around a run. Frozen values, a part of the record.

What it does not report is None. Shares are from 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server at one moment. What only grows counts since the server's start, the requests of others included."""

    # Requests that are being answered, and those that wait for that.
    running: int | None = None
    waiting: int | None = None
    # Share of the memory for prompts and answers that is in use.
    cache_used: float | None = None
    # How long requests waited until their work began, in all; and how many did.
    queue_s: float | None = None
    queued: float | None = None
    # From their arrival to their first token, in all; and how many got one.
    first_token_s: float | None = None
    begun: float | None = None
    # Tokens of prompts that were looked for in the memory of earlier ones, and those that were found.
    looked_up: float | None = None
    found: float | None = None
    # When its process was started, in seconds since the epoch by its own clock; of several the last.
    started: float | None = None

    @property
    def users(self) -> int | None:
        """How many requests it has; None where it does not say."""
        known = [each for each in (self.running, self.waiting) if each is not None]
        return sum(known) if known else None

    @property
    def counts(self) -> bool:
        """Whether what it says after a run will say something of that."""
        return any(each is not None for each in (self.queued, self.begun, self.looked_up))


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What a server reported of itself around one run.

    The first three are those just before it. The next four are of all requests during it: of ours alone, if there were
    as many as we made.
    """

    running: int | None = None
    waiting: int | None = None
    cache_used: float | None = None
    # Means of these requests: how long each waited until its work began, and for its first token from its arrival on.
    queue_ms: float | None = None
    first_token_ms: float | None = None
    requests: int | None = None
    # Share of their prompts' tokens that the server had read before.
    cache_hit: float | None = None
    # As of ServerState, before the run.
    started: float | None = None


def figures(before: ServerState, after: ServerState | None) -> ServerFigures:
    """What both say of the run between them; a server that was started again meanwhile says nothing of that."""
    then = after if after is not None and after.started == before.started else ServerState()
    requests = _more(before.begun, then.begun)
    looked_up, found = _more(before.looked_up, then.looked_up), _more(before.found, then.found)
    return ServerFigures(
        before.running,
        before.waiting,
        before.cache_used,
        _mean_ms(_more(before.queue_s, then.queue_s), _more(before.queued, then.queued)),
        _mean_ms(_more(before.first_token_s, then.first_token_s), requests),
        None if requests is None else round(requests),
        min(1.0, found / looked_up) if looked_up and found is not None else None,
        before.started,
    )


def known(figures: ServerFigures) -> Mapping[str, float]:
    """Those that the server reported, by their names."""
    values = {each.name: getattr(figures, each.name) for each in fields(figures)}
    return {name: value for name, value in values.items() if value is not None}


def _more(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None or after < before else after - before


def _mean_ms(seconds: float | None, count: float | None) -> float | None:
    return 1000 * seconds / count if seconds is not None and count else None
