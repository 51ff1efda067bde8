"""The options of a Wyoming server in a target's configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_Name = Annotated[str, Meta(min_length=1)]


class WyomingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks, and how a text is handed over. Without a voice, the server's own one speaks."""

    voice: Annotated[_Name | None, Meta(description="a voice of the server, by its name")] = None
    language: Annotated[_Name | None, Meta(description="chooses a voice where none is named, such as en_US")] = None
    speaker: Annotated[_Name | None, Meta(description="of a voice that has several")] = None
    mode: Annotated[
        Literal["whole", "streamed"],
        Meta(description="streamed: each text as a stream, which the server cuts into sentences and speaks one by one"),
    ] = "whole"
