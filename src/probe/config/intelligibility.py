"""Whether answers can be understood: a recogniser that transcribes some of them after their runs."""

from typing import Annotated, Any

from msgspec import Meta, field

from probe.config.base import Seconds, Text
from probe.config.errors import Key, Problem
from probe.config.section import WRONG, Section, as_table, read_struct
from probe.config.target import ServerConfig, read_server
from probe.protocols.base import Terms


class _Rest(Section, frozen=True, kw_only=True):
    targets: Annotated[list[Text], Meta(description="whose answers are transcribed; without any, those of all")] = (
        field(default_factory=list)
    )
    every_s: Annotated[
        float,
        Meta(ge=0, le=604_800, description="from one answer to the next of each target and scenario; 0: every answer"),
    ] = 300.0
    timeout_s: Annotated[
        Seconds, Meta(description="how long one transcription may take; only begun if no run is due that soon")
    ] = 20.0
    max_wait_s: Annotated[
        Seconds, Meta(description="how long an answer waits for a moment without runs and users, then it is given up")
    ] = 600.0


class IntelligibilityConfig(_Rest, frozen=True, kw_only=True):
    """Transcribing answers after their runs, to compare them with what the TTS server was sent."""

    stt: Annotated[
        ServerConfig | None,
        Meta(
            description="the STT server, as that of a target: protocol, url, headers; without it, none is transcribed"
        ),
    ] = None

    @classmethod
    def read(cls, value: Any, key: Key, found: list[Problem]) -> Any:
        given = dict(as_table(value))
        server = read_server("stt", given.pop("stt"), (*key, "stt"), found) if given.get("stt") is not None else None
        given.pop("stt", None)
        rest = read_struct(_Rest, given, key, found, beside=("stt",))
        if isinstance(server, ServerConfig) and _finds_end(server):
            wrong = (
                "finds the end of the speech itself, and would take a pause in an answer for it: leave endpointing out"
            )
            found.append(Problem((*key, "stt"), wrong))
            return WRONG
        if server is WRONG or rest is WRONG:
            return WRONG
        return cls(stt=server, **{name: getattr(rest, name) for name in _Rest.__struct_fields__})

    def wants(self, target: str) -> bool:
        """Whether answers of this target are transcribed."""
        return self.stt is not None and (not self.targets or target in self.targets)

    def differences(self) -> dict[str, Any]:
        found = super().differences()
        return found if self.stt is None else found | {"stt": self.stt.differences("stt")}


def _finds_end(server: ServerConfig) -> bool:
    return bool(server.protocol.converse(Terms(server.record(), "", 1.0)).finds_end)
