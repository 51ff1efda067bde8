"""What else changed with each change of a latency that the daemon finds: names of a closed list, never a proof."""

import threading
from collections.abc import Callable, Sequence

from probe.drift import Change, Shift, Verdict

# With more runs since the change it is more certain what changed with it: then it is looked for again.
_AGAIN = (30, 200)
_MOST_KNOWN = 200

Series = tuple[str, str]


class BesideDrift:
    """Every method may be called from any thread, and waits as long as `look` takes where that is asked.

    `look` finds the names for a change of a series, and may raise anything: `on_error` is called with it, and nothing
    is named. `show` is given those of the change that is going on.
    """

    def __init__(
        self,
        look: Callable[[str, str, Shift], Sequence[str]],
        show: Callable[[str, str, Sequence[str]], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._look = look
        self._show = show
        self._on_error = on_error
        # Held while it is looked for: the log and the spans ask for the same one.
        self._lock = threading.Lock()
        self._known: dict[tuple[Series, int], tuple[str, ...]] = {}
        # Since when a series has drifted, and how many of its runs have been followed since.
        self._followed: dict[Series, tuple[int, int]] = {}

    def names(self, target: str, scenario: str, change: Change | None) -> tuple[str, ...]:
        """What changed at the same time, the surest first; it is looked for once."""
        if not isinstance(change, Shift):
            return ()
        with self._lock:
            known = self._known.get(((target, scenario), change.since))
            return self._looked(target, scenario, change) if known is None else known

    def follow(self, target: str, scenario: str, verdict: Verdict) -> None:
        """Show what changed with the drift that is going on, after each run of a series."""
        series = target, scenario
        shift = _going_on(verdict)
        if shift is None:
            if self._followed.pop(series, None) is not None:
                self._show(target, scenario, ())
            return
        since, runs = self._followed.get(series, (shift.since, 0))
        runs = runs if since == shift.since else 0
        self._followed[series] = shift.since, runs + 1
        if runs == 0:
            self._show(target, scenario, self.names(target, scenario, shift))
        elif runs in _AGAIN:
            with self._lock:
                names = self._looked(target, scenario, shift)
            self._show(target, scenario, names)

    def _looked(self, target: str, scenario: str, shift: Shift) -> tuple[str, ...]:
        try:
            names = tuple(self._look(target, scenario, shift))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the past, the change itself is reported
            self._on_error(f"{target}/{scenario}: what changed with it is not known: {type(error).__name__}: {error}")
            names = ()
        key = (target, scenario), shift.since
        self._known.pop(key, None)
        self._known[key] = names
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return names


def _going_on(verdict: Verdict) -> Shift | None:
    if verdict.drift is None:
        return None
    since = verdict.drift.since
    return next((each for each in verdict.changes if isinstance(each, Shift) and each.since == since), None)
