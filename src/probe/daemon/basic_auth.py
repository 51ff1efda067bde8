"""Basic authentication by bcrypt hashes, checked in a thread: a check takes 50 ms and more."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

from probe.config.leaf import Secret
from probe.daemon.http_message import Answer, plain

# Checks take CPU time from measurements: one at a time, at most so many waiting, and a pause after a wrong one.
MAX_WAITING = 16
PAUSE_S = 0.5
# Wrong passwords that are remembered; of the right ones there are as many as users.
MAX_WRONG = 100
# bcrypt reads so many bytes of a password, and the package raises for more.
_BCRYPT_BYTES = 72
# The hash that is checked for an unknown user, so that the check takes as long; its password is not known.
_UNKNOWN_USER = b"$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
DENIED = Answer(
    HTTPStatus.UNAUTHORIZED,
    b"Unauthorized\n",
    fields=(("WWW-Authenticate", "Basic"),),
)
BUSY = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many passwords are being checked")


class BasicAuth:
    """Checks passwords. A result is remembered as long as the hash stays the same."""

    def __init__(self) -> None:
        # Keyed hashes are kept, not the passwords.
        self._salt = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._wrong: dict[bytes, None] = {}
        self._one = asyncio.Semaphore(1)
        self._waiting = 0

    async def refusal(self, users: Mapping[str, Secret], authorization: str | None) -> Answer | None:
        """None where these users' passwords, or no users at all, let the request in; else its answer."""
        if not users:
            return None
        if (given := _given(authorization)) is None:
            return DENIED
        user, password = given
        is_known = user in users
        hashed = users[user].reveal().encode() if is_known else _UNKNOWN_USER
        key = self._key(user, hashed, password)
        if key in self._right:
            return None
        if key in self._wrong:
            return DENIED
        if self._waiting >= MAX_WAITING:
            return BUSY
        return None if await self._is_right(key, hashed, password, is_known=is_known) else DENIED

    async def _is_right(self, key: bytes, hashed: bytes, password: bytes, *, is_known: bool) -> bool:
        """Of an unknown user it never is: remembered as right, the password of that hash would let anyone in."""
        self._waiting += 1
        try:
            async with self._one:
                right = key in self._right or (await asyncio.to_thread(_matches, hashed, password) and is_known)
                if not right:
                    await asyncio.sleep(PAUSE_S)
        finally:
            self._waiting -= 1
        if right:
            self._right.add(key)
        else:
            self._wrong[key] = None
            if len(self._wrong) > MAX_WRONG:
                del self._wrong[next(iter(self._wrong))]
        return right

    def forget(self) -> None:
        """Call where the users have changed."""
        self._right.clear()
        self._wrong.clear()

    def _key(self, user: str, hashed: bytes, password: bytes) -> bytes:
        parts = b"".join(len(part).to_bytes(4, "big") + part for part in (user.encode(), hashed, password))
        return hmac.digest(self._salt, parts, hashlib.sha256)


def _matches(hashed: bytes, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - without users it is not needed

    # It raises for a password that has a zero byte.
    with suppress(ValueError):
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed)
    return False


def _given(authorization: str | None) -> tuple[str, bytes] | None:
    """User and password of the header; None where it has none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
