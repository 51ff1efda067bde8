"""What runs were measured under, from their stored records: only that part, since all of a record takes much longer."""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from probe.drift.circumstances import Circumstances
from probe.history.file import UnreadableRunError, decode_serving
from probe.machine.state import MachineState
from probe.typed_json import typed

_AT_ONCE = 100


def of_runs(db: sqlite3.Connection, run_ids: Sequence[str]) -> Iterator[Circumstances]:
    """Those of these runs that can be read, a hundred at a time in the order of their starts.

    A file of version 1 has none of it.
    """
    for at in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[at : at + _AT_ONCE]
        places = ", ".join("?" * len(some))
        query = f"SELECT run_id, started, serving, record FROM runs WHERE run_id IN ({places}) ORDER BY started, seq"  # noqa: S608 - question marks
        for row in db.execute(query, some).fetchall():
            with suppress(UnreadableRunError, ValueError, TypeError, KeyError, zlib.error, RecursionError):
                yield _circumstances(*row)


def _circumstances(run_id: str, started: int, serving: str, blob: bytes) -> Circumstances:
    text = zlib.decompress(blob)
    # Nothing else of a record without it is wanted.
    raw: dict[str, Any] = json.loads(text) if b'"machine":{' in text else {}
    machine = raw.get("machine")
    return Circumstances(
        run_id, started, decode_serving(serving), None if machine is None else typed(MachineState, machine)
    )
