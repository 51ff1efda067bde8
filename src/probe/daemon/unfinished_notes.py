"""The file in the state directory with what runs may have left on servers: `unfinished.json`."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from probe.plan import Role, ServerPlan
from probe.text import cut
from probe.urls import without_secrets

FILE_NAME = "unfinished.json"
VERSION: Final = 1
MOST_NOTES = 500
# So many notes have less, with the longest names in it.
MOST_BYTES = 2**20
_LONGEST_NAME = 200
_Text = Annotated[str, Meta(max_length=_LONGEST_NAME + 1)]


class Note(Struct, frozen=True):
    """What one run may have left on one server.

    `server` stands for its address. `released`: how many of its things are released already. `ended`: the run came to
    its end, and the server did not confirm that it had released everything. `waited_s`: for how long this has been
    waiting for its server while a daemon was running, in seconds.
    """

    run_id: _Text
    turns: Annotated[int, Meta(ge=1, le=1000)]
    target: _Text
    server: _Text
    released: Annotated[int, Meta(ge=0, le=10_000)] = 0
    ended: bool = False
    waited_s: Annotated[float, Meta(ge=0)] = 0.0


class _File(Struct, frozen=True):
    version: Literal[1]
    runs: Annotated[tuple[Note, ...], Meta(max_length=MOST_NOTES)]


class UnreadableError(ValueError):
    """These bytes are no notes; the message says why, without quoting them."""


def address(role: Role, server: ServerPlan) -> str:
    """Stands for a server: it has a bounded length, and holds no secret, as a URL may."""
    named = f"{role}\0{server.protocol}\0{without_secrets(server.url)}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def name(target: str) -> str:
    """A target's name, of a bounded length."""
    return cut(target, _LONGEST_NAME)


def decode(data: bytes) -> Sequence[Note]:
    """The notes that were encoded. Raises UnreadableError."""
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"larger than {MOST_BYTES} bytes")
    try:
        return msgspec.json.decode(data, type=_File).runs
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableError("not as it was written, or of another version") from error


def encode(notes: Sequence[Note]) -> bytes:
    """The file's contents: the last `MOST_NOTES` of them."""
    return msgspec.json.encode(_File(VERSION, tuple(notes[-MOST_NOTES:])))


def read(path: Path) -> Sequence[Note]:
    """What the file has; nothing where there is none. Raises OSError and UnreadableError."""
    try:
        with path.open("rb") as file:
            return decode(file.read(MOST_BYTES + 1))
    except FileNotFoundError:
        return ()


def keep(path: Path, replace: Callable[[Path, bytes], None], notes: Sequence[Note]) -> None:
    """Have the file say this, and no file where there is nothing to say. Raises OSError, as `replace` does."""
    if notes:
        replace(path, encode(notes))
    else:
        path.unlink(missing_ok=True)
