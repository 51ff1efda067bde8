"""Server-sent events as the WHATWG defines them: bytes in as they come, fields out as soon as their line is complete.

Pure, and bounded: what is kept is the start of one line.
"""

from collections.abc import Iterator

from msgspec import Struct

# A server sends a few hundred bytes.
MAX_LINE_BYTES = 2**16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Field(Struct, frozen=True, gc=False):
    """One line: a field and its value. No name: the empty line that ends an event."""

    name: str
    value: bytes


class Fields:
    """The fields of one stream. `overlong`: a line was longer than `longest` bytes, and nothing more is parsed."""

    def __init__(self, longest: int = MAX_LINE_BYTES) -> None:
        self.overlong = False
        self._longest = longest
        self._line = bytearray()
        self._first = True
        # Whether a line ended with the last byte, a carriage return: a line feed after it does not end another line.
        self._after_return = False

    def feed(self, data: bytes) -> Iterator[Field]:
        """Take bytes. Lines end in CR, LF or both."""
        if self._after_return:
            data = data.removeprefix(b"\n")
            self._after_return = False
        if not data:
            return
        self._after_return = data.endswith(b"\r")
        start, *more = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._add(start)
        for piece in more:
            if self.overlong:
                return
            yield from self._complete()
            self._add(piece)

    def end(self) -> Iterator[Field]:
        """The stream is over: its last line may lack its end, or the rest of it."""
        if self._line:
            yield from self._complete()

    def _add(self, piece: bytes) -> None:
        if len(self._line) + len(piece) > self._longest:
            self.overlong = True
            self._line.clear()
        else:
            self._line += piece

    def _complete(self) -> Iterator[Field]:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            line, self._first = line.removeprefix(_BYTE_ORDER_MARK), False
        name, _, value = line.partition(b":")
        # A line that begins with a colon is a comment: a sign of life.
        if name or not line:
            yield Field(name.decode("latin-1"), value.removeprefix(b" "))
