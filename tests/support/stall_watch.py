"""Inside a daemon's process: how long its event loop is held up, as CPU time, so that a busy machine does not count.

`turn` is the longest turn of the loop, all callbacks that were ready together: for so long nobody else was served.
`callback` is the longest of these alone. `collection` is the longest collection of garbage, in whatever thread: it lets
no other go on.
"""

import asyncio
import gc
import json
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# Shorter ones are not written down.
LEAST_MS = 0.1
_SUPPORT = str(Path(__file__).parent)


class Stalls(NamedTuple):
    """The longest of each kind, in milliseconds; `what` is what they were."""

    turn: float
    callback: float
    collection: float
    what: str


def prelude(report: Path) -> str:
    """What a daemon has to run before its own code, so that its stalls are in this file."""
    return f"import sys; sys.path.insert(0, {_SUPPORT!r}); import stall_watch; stall_watch.watch({str(report)!r})"


def longest(report: Path) -> Stalls:
    """What was found so far."""
    found = dict.fromkeys(("turn", "callback", "collection"), (0.0, ""))
    for line in report.read_text().splitlines():
        if line.endswith("}"):
            each = json.loads(line)
            found[each["kind"]] = each["ms"], each["what"]
    ms = [value for value, _ in found.values()]
    return Stalls(ms[0], ms[1], ms[2], "; ".join(f"{kind} {value} ms: {what}" for kind, (value, what) in found.items()))


def watch(report: str) -> None:
    """Write every new longest of its kind to the file, from now on, in this process."""
    out = Path(report).open("w", buffering=1)  # noqa: SIM115 - for as long as the process lasts
    most = dict.fromkeys(("turn", "callback", "collection"), LEAST_MS)
    run_turn: Any = BaseEventLoop._run_once  # type: ignore[attr-defined]
    run_callback = asyncio.Handle._run
    longest_of_turn: tuple[str, float] = "", 0.0

    def note(kind: str, ms: float, what: str) -> None:
        if ms > most[kind]:
            most[kind] = ms
            out.write(json.dumps({"kind": kind, "ms": round(ms, 1), "what": what[:300]}) + "\n")

    def turn(loop: Any) -> None:
        nonlocal longest_of_turn
        if threading.current_thread() is not threading.main_thread():
            # That of the HTTP server, which measures nothing.
            run_turn(loop)
            return
        longest_of_turn = "", 0.0
        began = time.thread_time()
        run_turn(loop)
        note("turn", 1000 * (time.thread_time() - began), longest_of_turn[0])

    def callback(handle: asyncio.Handle) -> None:
        nonlocal longest_of_turn
        if threading.current_thread() is not threading.main_thread():
            run_callback(handle)
            return
        began = time.thread_time()
        run_callback(handle)
        ms = 1000 * (time.thread_time() - began)
        if ms > 1 and ms > longest_of_turn[1]:
            longest_of_turn = f"{ms:.1f} ms: {_name(handle)}", ms
        if ms > most["callback"]:
            note("callback", ms, _name(handle))

    BaseEventLoop._run_once = turn  # type: ignore[attr-defined]
    asyncio.Handle._run = callback  # type: ignore[method-assign,assignment]
    _watch_collections(note)


def _name(handle: asyncio.Handle) -> str:
    """What it calls. Not its repr, which is that of a result of 1 MiB too and would take longer than the callback."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    of = task.get_coro() if isinstance(task, asyncio.Task) else callback
    return getattr(of, "__qualname__", type(of).__name__)


def _watch_collections(note: Callable[[str, float, str], None]) -> None:
    began = 0.0

    def collection(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            note("collection", 1000 * (time.thread_time() - began), f"generation {info['generation']}")

    gc.callbacks.append(collection)
