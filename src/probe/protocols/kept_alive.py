"""Connections that are kept open between two requests: how long one may have been idle and still be used."""

from probe.timestamps import NS_PER_S

# Servers end what is idle for some seconds, 5 s mostly. A request that meets that end has to be sent once more, and is
# measured from when it was sent first; after so short a time it practically never does.
MAX_IDLE_S = 2.0


def too_idle(since: int | None, now: int) -> bool:
    """Whether the next request should use a new connection. `since`: None if none was kept."""
    return since is not None and now - since > MAX_IDLE_S * NS_PER_S
