"""A password: its hash in a file, and checks of it in a thread, limited in number against guessing."""

import asyncio
import base64
import hashlib
import os
import re
import secrets
import stat
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import bcrypt

Verdict = Literal["right", "wrong", "too many", "busy"]
# bcrypt ignores further bytes.
MOST_BYTES = 72
LEAST_CHARACTERS = 8
# 2^12 rounds: a quarter of a second for each guess, here and for anyone who has the file.
_COST = 12
_HASH = re.compile(rb"\$2[aby]\$(1[0-5])\$[./A-Za-z0-9]{53}")
_LARGEST_FILE = 1000
_WINDOW_S = 60.0
_MOST_WRONG, _MOST_WRONG_OF_ALL, _MOST_CLIENTS = 5, 60, 1000
_MOST_WAITING, _MOST_KNOWN = 8, 64


class PasswordError(Exception):
    """The password or its file can't be used; the message says why, in one line."""


def hash_of(password: str) -> str:
    """What belongs into the file. Raises PasswordError."""
    if len(password) < LEAST_CHARACTERS or len(password.encode()) > MOST_BYTES:
        raise PasswordError(f"a password has {LEAST_CHARACTERS} characters at least, and {MOST_BYTES} bytes at most")
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()


def read_hash(path: Path) -> bytes:
    """The hash in a file that only its owner may read. Raises PasswordError."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(_LARGEST_FILE).strip()
    except OSError as error:
        raise PasswordError(f"{path}: {error.strerror}") from error
    if _is_open_to_others(found):
        raise PasswordError(f"{path} may be read or written by others; chmod 600 {path}")
    if _HASH.fullmatch(text) is None:
        raise PasswordError(f"{path} has no hash of a password; `probe web --hash-password > {path}` makes one")
    return text


def _is_open_to_others(found: os.stat_result) -> bool:
    # systemd gives a credential to a service by an access list, which shows as rights of the group: root's own.
    tolerated = stat.S_IRGRP if (found.st_uid, found.st_gid) == (0, 0) else 0
    return bool(found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~tolerated)


class Attempts:
    """Counts wrong passwords: so many per minute from one address, and from all together."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._of_client: OrderedDict[str, deque[float]] = OrderedDict()
        self._of_all: deque[float] = deque(maxlen=_MOST_WRONG_OF_ALL)

    def is_over(self, client: str) -> bool:
        of_client = self._of_client.get(client, ())
        return self._recent(of_client) >= _MOST_WRONG or self._recent(self._of_all) >= _MOST_WRONG_OF_ALL

    def add(self, client: str) -> None:
        self._of_client.setdefault(client, deque(maxlen=_MOST_WRONG)).append(self._now())
        self._of_client.move_to_end(client)
        if len(self._of_client) > _MOST_CLIENTS:
            self._of_client.popitem(last=False)
        self._of_all.append(self._now())

    def _recent(self, times: "deque[float] | tuple[()]") -> int:
        return sum(each > self._now() - _WINDOW_S for each in times)


class Checker:
    """Compares what an Authorization header holds with the hash; what was right once is remembered. For one loop."""

    def __init__(self, hashed: bytes, attempts: Attempts) -> None:
        self._hashed = hashed
        self._attempts = attempts
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._one = asyncio.Lock()
        self._waiting = 0

    async def check(self, header: str, client: str) -> Verdict:
        # A keyed hash in place of the password: memory may be swapped out, and only this process has the key.
        mark = hashlib.blake2b(header.encode(), key=self._secret, digest_size=32).digest()
        if mark in self._known:
            return "right"
        password = _password(header)
        if self._attempts.is_over(client):
            return "too many"
        if password is None or len(password) > MOST_BYTES:
            self._attempts.add(client)
            return "wrong"
        if self._waiting >= _MOST_WAITING:
            return "busy"
        self._waiting += 1
        try:
            async with self._one:
                return await self._compared(password, mark, client)
        finally:
            self._waiting -= 1

    async def _compared(self, password: bytes, mark: bytes, client: str) -> Verdict:
        # While this waited, the limit may have been reached, or the same password may have been found right.
        if mark in self._known:
            return "right"
        if self._attempts.is_over(client):
            return "too many"
        # bcrypt releases the interpreter's lock: the loop continues meanwhile.
        if not await asyncio.to_thread(bcrypt.checkpw, password, self._hashed):
            self._attempts.add(client)
            return "wrong"
        self._known[mark] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return "right"


def _password(header: str) -> bytes | None:
    """What follows the first colon of a Basic header; None for anything else."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
    except ValueError:
        return None
    # bcrypt ends at a NUL.
    return password if colon and b"\0" not in password else None
