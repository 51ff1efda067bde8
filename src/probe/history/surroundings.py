"""What runs were measured under, from their stored records: only that part, since all of a record takes much longer."""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from probe.drift.circumstances import Circumstances, of_server, starts_of
from probe.history.file import UnreadableRunError, decode_serving
from probe.machine.state import MachineState
from probe.plan import Role
from probe.server_state import ServerFigures
from probe.typed_json import typed

_AT_ONCE = 100
# As a record is written: in what it quotes, these would be escaped.
_MARKS = (b'"machine":{', b'"reported":{"')
_TOKENS, _NO_TOKENS = b'"prompt_tokens":', b'"prompt_tokens":null'


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
    # Nothing else of a record without any of it is wanted.
    wanted = any(each in text for each in _MARKS) or (_TOKENS in text and _NO_TOKENS not in text)
    raw: dict[str, Any] = json.loads(text) if wanted else {}
    machine, turns = raw.get("machine"), raw.get("turns") or [{}]
    reported = typed(Mapping[Role, ServerFigures], raw.get("reported", {}))
    return Circumstances(
        run_id,
        started,
        decode_serving(serving),
        None if machine is None else typed(MachineState, machine),
        of_server(reported, *(typed(int | None, turns[0].get(name)) for name in ("prompt_tokens", "cached_tokens"))),
        starts_of(reported),
    )
