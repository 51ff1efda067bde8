"""What goes wrong between a sink and its collector: reported each time, and logged when the reason changes."""

from collections.abc import Callable

Report = Callable[[str, str], None]


class Complaints:
    """Of one sink. `on_error` is called with its name and what failed, for a reason that is new; else `on_repeat`."""

    def __init__(self, sink: str, on_error: Report, on_repeat: Report) -> None:
        self._sink = sink
        self._on_error = on_error
        self._on_repeat = on_repeat
        # Why the last attempt failed; None after one that did not.
        self._reason: str | None = None

    def add(self, reason: str, what: str) -> None:
        """An attempt failed for this reason."""
        report = self._on_repeat if reason == self._reason else self._on_error
        self._reason = reason
        report(self._sink, what)

    def clear(self) -> None:
        """An attempt went well: the same reason is new when it comes again."""
        self._reason = None
