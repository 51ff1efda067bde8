"""Servers' own words besides their answers (errors, reasons): only the history keeps them."""

from collections.abc import Mapping

from probe.blame import NAMES
from probe.credentials import secrets_of, without
from probe.plan import Role, ServerPlan
from probe.protocols.base import ChunkEnd, Event, Malformed, Refused
from probe.text import cut, one_line

# So many sentences are kept; each was cut where it came in.
MAX_QUOTES = 16
# Of what an error of our own says so many characters are kept.
MAX_ERROR_TEXT = 300


class Quotes:
    """Errors, reasons, frames that are no protocol, without our credentials."""

    def __init__(self, servers: Mapping[Role, ServerPlan]) -> None:
        self.all: list[str] = []
        self.secrets = {role: secrets_of(server.url, server.headers) for role, server in servers.items()}

    def of(self, role: Role, words: str) -> None:
        """Keep a server's own words; there may be none."""
        if words:
            self._keep(f"{NAMES[role]} server: {without(words, self.secrets[role])}")

    def of_ours(self, error: Exception) -> None:
        """Keep what an error of our own says, which may quote anything, in the same place."""
        if words := cut(one_line(str(error)), MAX_ERROR_TEXT):
            self._keep(f"voice-probe: {without(words, [each for some in self.secrets.values() for each in some])}")

    def _keep(self, quoted: str) -> None:
        if quoted not in self.all:
            # Where there is no room the last gives way: what comes at the end may be why the run fails.
            del self.all[MAX_QUOTES - 1 :]
            self.all.append(quoted)


def words_of(event: Event) -> str:
    """What a server wrote, as far as an event quotes it; empty where it does not."""
    match event:
        case Refused() | Malformed():
            return event.said
        case ChunkEnd(refusal=Refused() as refusal):
            return refusal.said
    return ""
