"""Types that several sections of the configuration use."""

from typing import Annotated

from msgspec import Meta


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a name is printable text")
    return text


def _path(text: str) -> str:
    if "\0" in text:
        raise ValueError("should be a path")
    return text


Name = Annotated[str, _name]
Text = Annotated[str, Meta(min_length=1)]
PathText = Annotated[str, Meta(min_length=1), _path]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
