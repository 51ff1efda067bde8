"""Headers that are sent along, to a server or a collector: their names, and their values, which are secrets."""

from typing import Annotated

from probe.config.leaf import Secret


def _header_name(text: str) -> str:
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise ValueError("the name of a header is letters, digits, - and _")
    return text


def _header_value(secret: Secret) -> Secret:
    """Such as a file with a token, and a line too many. The library that sends it would quote it in its error."""
    if not (secret.reveal().isascii() and secret.reveal().isprintable()):
        raise ValueError("should be printable ASCII, on one line")
    return secret


Headers = dict[Annotated[str, _header_name], Annotated[Secret, _header_value]]
