"""A WAV file as it comes in: its chunks walked up to the samples, whose size a server that streams can't know."""

from collections.abc import Iterator

from probe.protocols.base import Audio, AudioFormat, Refused
from probe.protocols.samples import RATES, Samples, wrong

# As streaming servers write the size that they don't know. A size that is merely too large ends with the body.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_HEADER, _CHUNK = 12, 8
# The parts of a format that are looked at: 16 bytes, and 24 more where the real format is in an extension.
_LEAST_FORMAT, _MOST_FORMAT = 16, 40
_PCM, _EXTENSIBLE = 1, 0xFFFE
_SUBFORMAT = 24
_MONO_16 = (1, 16)
_TAGS = {2: "ADPCM", 3: "float", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x50: "MPEG", 0x55: "MP3"}


class Wav:
    """One WAV file. What its header does not need of a chunk, and what follows samples of a known size, is skipped."""

    complaint = False
    empty = "a WAV header without any sample"

    def __init__(self) -> None:
        self._samples = Samples()
        self._head = bytearray()
        self._need = _HEADER
        self._skip = 0
        # What `_need` bytes will be.
        self._next = self._riff
        self._has_format = False
        self._size = 0
        # How much of the samples is still to come; None: all that comes, or, before them, nothing.
        self._left: int | None = None
        self._in_data = self._over = False

    def feed(self, data: bytes) -> Iterator[AudioFormat | Audio | Refused]:
        while data and not self._over:
            if self._in_data:
                yield from self._data(data)
                return
            if self._skip:
                skipped = min(self._skip, len(data))
                self._skip -= skipped
                data = data[skipped:]
                continue
            wanted = self._need - len(self._head)
            self._head += data[:wanted]
            data = data[wanted:]
            if len(self._head) == self._need:
                head, self._head = bytes(self._head), bytearray()
                yield from self._next(head)

    def end(self) -> Iterator[AudioFormat | Audio | Refused]:
        """The body is complete."""
        if not self._in_data and not self._over:
            yield wrong("a WAV file that ends before its samples")
        yield from self._samples.rest()

    def _riff(self, head: bytes) -> Iterator[AudioFormat | Refused]:
        if head[8:12] != b"WAVE":
            yield self._given_up("RIFF that is no WAV")
            return
        self._need, self._next = _CHUNK, self._chunk

    def _chunk(self, head: bytes) -> Iterator[AudioFormat | Refused]:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if not self._has_format:
                yield self._given_up("a WAV file without a format")
                return
            self._in_data = True
            self._left = None if size in _UNKNOWN_SIZES else size
        elif name == b"fmt ":
            if size < _LEAST_FORMAT:
                yield self._given_up("a WAV file with half a format")
                return
            self._size, self._need, self._next = size, min(size, _MOST_FORMAT), self._format
        else:
            # A chunk of odd size has a byte of padding.
            self._skip = size + size % 2

    def _format(self, head: bytes) -> Iterator[AudioFormat | Refused]:
        self._skip = self._size + self._size % 2 - len(head)
        self._need, self._next = _CHUNK, self._chunk
        tag, channels, rate, bits = (_number(head, at, size) for at, size in ((0, 2), (2, 2), (4, 4), (14, 2)))
        if tag == _EXTENSIBLE and len(head) >= _SUBFORMAT + 2:
            tag = _number(head, _SUBFORMAT, 2)
        if tag != _PCM or (channels, bits) != _MONO_16 or rate not in RATES:
            kind = "PCM" if tag == _PCM else _TAGS.get(tag, f"format {tag}")
            yield self._given_up(f"WAV with {bits}-bit {kind}, {channels} channel(s) at {rate} Hz")
            return
        self._has_format = True
        yield AudioFormat(rate)

    def _data(self, data: bytes) -> Iterator[Audio]:
        if self._left is None:
            yield from self._samples.take(data)
            return
        mine = data[: self._left]
        self._left -= len(mine)
        yield from self._samples.take(mine)

    def _given_up(self, what: str) -> Refused:
        self._over = True
        return wrong(what)


def _number(head: bytes, at: int, size: int) -> int:
    return int.from_bytes(head[at : at + size], "little")
