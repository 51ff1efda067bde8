"""Audio as base64 in JSON: decoded, and taken out of an event that is too long to be parsed with it. Pure."""

import binascii
from typing import Any

from probe.protocols.base import Malformed, Refused
from probe.protocols.fields import parse_object, shown

# Half a minute of samples at the usual rate, and no more than can be decoded between two reads (15 ms).
MAX_EVENT_BYTES = 2**20
# What else there is in an event of any length, and one that is parsed as it is: parsing holds up the other runs.
MAX_PARSED_BYTES = 2**16
# Between a name and its value there is a colon, and some white space.
_NEAR = 8


def decoded(text: str | bytes, said: bytes = b"") -> bytes | Malformed:
    """Decode it; some leave out the padding. `said` is what is shown where it is none."""
    try:
        whole = text if isinstance(text, bytes) else text.encode("ascii")
        return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4), strict_mode=True)
    except ValueError:
        return Malformed("audio that is not base64", shown(said))


def event(data: bytes, name: bytes) -> dict[str, Any] | Malformed | Refused:
    """Read an event, a JSON object. Of a long one the string of this name is bytes, which nothing has looked into."""
    if len(data) <= MAX_PARSED_BYTES:
        return parse_object(data)
    short, value = _apart(data, name)
    if len(data) > MAX_EVENT_BYTES or len(short) > MAX_PARSED_BYTES:
        most = f"{MAX_EVENT_BYTES // 2**20} MiB, or {MAX_PARSED_BYTES // 2**10} KiB without its audio"
        return Refused(f"an event of more than {most}", reason="flood")
    found = parse_object(short)
    return found if isinstance(found, Malformed) else {**found, name.decode(): value}


def _apart(data: bytes, name: bytes) -> tuple[bytes, bytes]:
    """An event without a string in it, and that string."""
    key = b'"%b"' % name
    colon = data.find(key) + len(key)
    begin = data.find(b'"', colon, colon + _NEAR) + 1
    end = data.find(b'"', begin)
    if colon < len(key) or not begin or end < 0 or data[colon : begin - 1].strip() != b":":
        return data, b""
    # The one sign of base64 that some write with a backslash.
    return data[:begin] + data[end:], data[begin:end].replace(b"\\/", b"/")
