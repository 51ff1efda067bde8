"""Inside a daemon's process: how long its event loop is held up, as CPU time, so that a busy machine does not count.

`turn` is the longest turn of the loop, all callbacks that were ready together: for so long nobody else was served.
`callback` is the longest of these alone. `others` is the longest time for which a callback had to wait for threads of
our own that held the interpreter: its wall time without its CPU time, and without what the kernel says it waited for a
core. That one still grows where such a thread itself waits for a core: it is to be read where nothing else runs.
"""

import asyncio
import json
import os
import time
from asyncio.base_events import BaseEventLoop
from pathlib import Path
from typing import Any

# Shorter ones are not written down.
LEAST_MS = 1.0
_SUPPORT = str(Path(__file__).parent)


def prelude(report: Path) -> str:
    """What a daemon has to run before its own code, so that its stalls are in this file."""
    return f"import sys; sys.path.insert(0, {_SUPPORT!r}); import stall_watch; stall_watch.watch({str(report)!r})"


def longest(report: Path) -> dict[str, tuple[float, str]]:
    """By kind, the longest in milliseconds, and what it was."""
    found = {"turn": (0.0, ""), "callback": (0.0, ""), "others": (0.0, "")}
    for line in report.read_text().splitlines():
        if line.endswith("}"):
            each = json.loads(line)
            found[each["kind"]] = each["ms"], each["what"]
    return found


def watch(report: str) -> None:
    """Write every new longest of its kind to the file, from now on, in this process."""
    out = Path(report).open("w", buffering=1)  # noqa: SIM115 - for as long as the process lasts
    most = {"turn": LEAST_MS, "callback": LEAST_MS, "others": LEAST_MS}
    run_turn: Any = BaseEventLoop._run_once  # type: ignore[attr-defined]
    run_callback = asyncio.Handle._run
    waited = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    longest_of_turn: tuple[str, float] = "", 0.0

    def note(kind: str, ms: float, what: str) -> None:
        if ms > most[kind]:
            most[kind] = ms
            out.write(json.dumps({"kind": kind, "ms": round(ms, 1), "what": what[:300]}) + "\n")

    def for_a_core() -> float:
        return int(os.pread(waited, 64, 0).split()[1]) / 1e6

    def turn(loop: Any) -> None:
        nonlocal longest_of_turn
        longest_of_turn = "", 0.0
        began = time.thread_time()
        run_turn(loop)
        note("turn", 1000 * (time.thread_time() - began), longest_of_turn[0])

    def callback(handle: asyncio.Handle) -> None:
        nonlocal longest_of_turn
        began, cpu, core = time.monotonic(), time.thread_time(), for_a_core()
        run_callback(handle)
        ms = 1000 * (time.thread_time() - cpu)
        others = 1000 * (time.monotonic() - began) - ms
        if ms > LEAST_MS and ms > longest_of_turn[1]:
            longest_of_turn = f"{ms:.1f} ms: {handle!r}", ms
        if ms > most["callback"]:
            note("callback", ms, repr(handle))
        if others > most["others"]:
            note("others", others - (for_a_core() - core), repr(handle))

    BaseEventLoop._run_once = turn  # type: ignore[attr-defined]
    asyncio.Handle._run = callback  # type: ignore[method-assign,assignment]
