"""How many bytes of pages are being sent: with 200 targets a page has 11 MB, and each slow client holds one."""

from collections.abc import Iterator
from contextlib import contextmanager

# Of all clients together. A page that is the only one, and a small one, are always sent.
MAX_UNREAD_BYTES = 2**24
SMALL_BYTES = 2**16


class Unread:
    """Counts the pages that are being sent."""

    def __init__(self) -> None:
        self._bytes = 0
        # By path: the size of its last page.
        self._sizes: dict[str, int] = {}

    def has_room(self, path: str) -> bool:
        """Whether one more page that is not read has room, as far as its size is known."""
        size = self._sizes.get(path, 0)
        return size < SMALL_BYTES or not self._bytes or self._bytes + size <= MAX_UNREAD_BYTES

    def learn(self, path: str, size: int) -> None:
        """A page of this path has this size now."""
        self._sizes[path] = size

    @contextmanager
    def sending(self, size: int) -> Iterator[None]:
        """Count so many bytes until the context ends."""
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
