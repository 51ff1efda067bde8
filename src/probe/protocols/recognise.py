"""What a body is, by its own first bytes: a server may say anything about it."""

from typing import Literal

Kind = Literal["wav", "text", "compressed", "raw"]

_WAV = (b"RIFF", b"RF64")
_COMPRESSED = {
    b"ID3": "MP3",
    b"OggS": "Ogg (Opus or Vorbis)",
    b"fLaC": "FLAC",
    b"\x1aE\xdf\xa3": "WebM",
    b"FORM": "AIFF",
    b"RIFX": "big-endian WAV",
}
# A document begins so, and goes on with letters for longer than samples would by chance.
_DOCUMENT = b"{[<"
_LETTERS = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_NO_CHANCE = 16
_SYNC_BYTES = 4
# The second byte of an ADTS frame, and of one of MPEG's layer 3, whose versions are all but one.
_ADTS_MASK, _ADTS = 0xF6, 0xF0
_LAYER_3_MASK, _LAYER_3 = 0xE6, 0xE2
_VERSION_MASK, _NO_VERSION = 0x18, 0x08
# In the third byte: what no frame has.
_ADTS_FREQUENCIES = 13
_NO_BITRATES, _NO_FREQUENCY = (0, 15), 3


def recognised(begin: bytes, *, whole: bool = False) -> tuple[Kind, str] | None:
    """The kind of a body that begins so, and a name for a person; None while that can't be known.

    `whole`: nothing comes after it. Raw samples have no mark of their own: they are what is nothing else.
    """
    if begin.startswith(_WAV):
        return "wav", "WAV"
    for magic, name in _COMPRESSED.items():
        if begin.startswith(magic):
            return "compressed", name
    if begin[:1] == b"\xff" and len(begin) >= _SYNC_BYTES and (name := _mpeg(begin)):
        return "compressed", name
    if begin[:1] and begin[0] in _DOCUMENT and not begin[:_NO_CHANCE].translate(None, _LETTERS):
        if whole or len(begin) >= _NO_CHANCE:
            return "text", "HTML" if begin[:1] == b"<" else "JSON"
        return None
    undecided = not whole and (
        any(magic.startswith(begin) for magic in (*_WAV, *_COMPRESSED))
        or (begin[:1] == b"\xff" and len(begin) < _SYNC_BYTES)
    )
    return None if undecided else ("raw", "PCM")


def _mpeg(begin: bytes) -> str:
    """The name of the compressed format whose first frame this is; empty for samples, which may begin with 0xFF, too.

    The bits that every frame begins with are not enough: a first sample of -1 is 0xFFFF. So the rest of the header has
    to be one that exists, too.
    """
    second, third, fourth = begin[1:_SYNC_BYTES]
    frequency = (third >> 2) & 0xF
    if second & _ADTS_MASK == _ADTS:
        return "AAC" if frequency < _ADTS_FREQUENCIES else ""
    layer_3 = second & _LAYER_3_MASK == _LAYER_3 and second & _VERSION_MASK != _NO_VERSION
    return (
        "MP3"
        if layer_3 and third >> 4 not in _NO_BITRATES and frequency & 3 != _NO_FREQUENCY and not fourth & 3
        else ""
    )
