"""Reads WAV files of any rate, sample width and number of channels. Standard library only."""

import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence

# Half an hour of the usual recording, ten minutes of the largest.
MAX_BYTES = 2**27
# What is longer is no turn of a conversation.
MAX_S = 120
RATES = range(4000, 384_001)
_MAX_CHANNELS = 32
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
# Where an extensible format says which one it is.
_SUBFORMAT = slice(24, 26)
_FULL = 32767


class WavError(ValueError):
    """Not a WAV file that can be read; the message says why."""


def read(data: bytes) -> tuple["array[int]", int]:
    """The samples as 16-bit mono (the mean of all channels), and their rate in Hz. Raises WavError."""
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise WavError("not a WAV file")
    chunks = dict(_chunks(data))
    if b"fmt " not in chunks or b"data" not in chunks:
        raise WavError("a WAV file without a format or without samples")
    kind, channels, rate, width = _format(chunks[b"fmt "])
    samples = chunks[b"data"]
    frame = channels * width
    if len(samples) > MAX_S * rate * frame:
        raise WavError(f"longer than {MAX_S} s")
    whole = samples[: len(samples) - len(samples) % frame]
    return _mono(_READERS[kind, width](whole), channels), rate


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        # A recorder that was stopped leaves the size as it was at first: what is there counts.
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _format(chunk: bytes) -> tuple[int, int, int, int]:
    if len(chunk) < struct.calcsize("<HHIIHH"):
        raise WavError("a WAV file whose format is cut short")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(chunk[_SUBFORMAT], "little")
    if (kind, bits // 8) not in _READERS or bits % 8 or not 1 <= channels <= _MAX_CHANNELS or rate not in RATES:
        raise WavError(
            f"a WAV file of a kind that is not read (format {kind}, {bits} bits, {channels} channels, {rate} Hz);"
            f" read are PCM of 8 to 32 bits, floating point, A-law and mu-law, of {RATES[0]} to {RATES[-1]} Hz and up"
            f" to {_MAX_CHANNELS} channels"
        )
    return kind, channels, rate, bits // 8


def _mono(samples: "array[int]", channels: int) -> "array[int]":
    if channels == 1:
        return samples
    parts = [samples[number::channels] for number in range(channels)]
    return array("h", (sum(each) // channels for each in zip(*parts, strict=True)))


def _little(kind: str, data: bytes) -> "array[int]":
    found = array(kind, data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _of_24(data: bytes) -> "array[int]":
    """Of each sample the upper two bytes."""
    upper = bytearray(len(data) // 3 * 2)
    upper[::2], upper[1::2] = data[1::3], data[2::3]
    return _little("h", bytes(upper))


def _of_32(data: bytes) -> "array[int]":
    return array("h", (each >> 16 for each in _little("i", data)))


def _of_float(kind: str, data: bytes) -> "array[int]":
    # What is no number is silence; what is too loud is clipped.
    levels = (each if each == each else 0.0 for each in _little(kind, data))  # noqa: PLR0124 - NaN alone is not itself
    return array("h", (round(max(-1.0, min(1.0, each)) * _FULL) for each in levels))


def _of_table(table: Sequence[int], data: bytes) -> "array[int]":
    return array("h", map(table.__getitem__, data))


# Telephony's two (G.711): a sign, three bits that say which power of two, and four that say how much of the next.
def _of_a_law(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = (code & 0x70) >> 4, code & 0x0F
    level = (mantissa << 4) + (8 if exponent == 0 else 0x108)
    level <<= max(0, exponent - 1)
    return level if code & 0x80 else -level


def _of_mu_law(code: int) -> int:
    code ^= 0xFF
    level = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return -level if code & 0x80 else level


_A_LAW_LEVELS, _MU_LAW_LEVELS = ([level(code) for code in range(256)] for level in (_of_a_law, _of_mu_law))
_READERS: Mapping[tuple[int, int], Callable[[bytes], "array[int]"]] = {
    (_PCM, 1): lambda data: array("h", ((each - 128) << 8 for each in data)),
    (_PCM, 2): lambda data: _little("h", data),
    (_PCM, 3): _of_24,
    (_PCM, 4): _of_32,
    (_FLOAT, 4): lambda data: _of_float("f", data),
    (_FLOAT, 8): lambda data: _of_float("d", data),
    (_A_LAW, 1): lambda data: _of_table(_A_LAW_LEVELS, data),
    (_MU_LAW, 1): lambda data: _of_table(_MU_LAW_LEVELS, data),
}
