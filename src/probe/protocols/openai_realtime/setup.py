"""How a session begins: its configuration, and how long its confirmation is waited for. Pure.

Servers differ. Most greet first and confirm the configuration; some say nothing before it, some
never confirm, and some complain of one thing in it and go on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from probe.protocols.base import Ready, Refused, Step
from probe.protocols.openai_realtime import dialect
from probe.timestamps import NS_PER_S

# So long is a greeting waited for that would tell the dialect.
GREETING_S = 1.0
# So long for a confirmation, once the server has greeted or complained.
CONFIRMED_S = 1.0

Wanted = Iterator[dict[str, Any] | Step]


class Setup:
    """One session's beginning. `done` once questions may be asked; what is wanted are events to be sent, and steps."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.done = False
        self.wakes_at: int | None = None
        self._options = options
        self._stated: dialect.Dialect | None = options.get("dialect")
        self.dialect: dialect.Dialect = self._stated or "ga"
        self._instructions = ""
        self._greeted = self._told = False
        self._complaint: Refused | None = None

    def begin(self, instructions: str, now: int) -> Wanted:
        """A connection is open."""
        self._instructions = instructions
        if self._stated is not None or self._greeted:
            yield self._update(now)
        else:
            self.wakes_at = now + round(GREETING_S * NS_PER_S)

    def created(self, session: Mapping[str, Any], at: int) -> Wanted:
        """The server has greeted."""
        first, self._greeted = not self._greeted, True
        if self.done or not first:
            return
        if not self._told and self.wakes_at is not None:
            self.dialect = dialect.spoken_by(session)
            yield self._update(at)
        elif not self._told:
            # Before it was known what to tell.
            self.dialect = self._stated or dialect.spoken_by(session)
        else:
            self._await_word(at)

    def updated(self) -> Wanted:
        """The server has confirmed."""
        if self._told and not self.done:
            self.done, self.wakes_at = True, None
            yield Ready()

    def failed(self, refused: Refused, at: int) -> Wanted:
        """The server has complained: of all, or of one thing in it."""
        if not refused.fatal:
            self._complaint = refused
            self._await_word(at)
        yield refused

    def wake(self, now: int) -> Wanted:
        """No greeting, or no confirmation."""
        self.wakes_at = None
        if not self._told:
            yield self._update(now)
        elif self._complaint is None:
            self.done = True
            yield Ready()
        else:
            yield replace(self._complaint, fatal=True)

    def _update(self, now: int) -> dict[str, Any]:
        self._told, self.wakes_at = True, None
        if self._greeted:
            self._await_word(now)
        session = dialect.session(self.dialect, self._options, self._instructions)
        return {"type": "session.update", "session": session}

    def _await_word(self, now: int) -> None:
        self.wakes_at = now + round(CONFIRMED_S * NS_PER_S)
