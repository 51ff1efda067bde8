"""What a Riva server that hears says of itself over gRPC: its models, and the languages that each understands."""

from collections.abc import Callable

from probe.plan import ServerPlan
from probe.protocols.fields import one_line
from probe.protocols.inquiries import Sign
from probe.protocols.riva.hearing import SERVICE
from probe.protocols.riva.questions import Fields, models
from probe.record import ServerIdentity

CONFIG = f"{SERVICE}/GetRivaSpeechRecognitionConfig"
# No server has more; a list that goes on is none.
MAX_MODELS = 1000
# What the parameters of a model say that takes whole recordings alone.
_WHOLE = {"type": "offline", "streaming": "false"}


def program(server: ServerPlan) -> Callable[[Fields], ServerIdentity]:
    """The model that a call is for, as far as that is known, and its version where it states one."""

    def read(config: Fields) -> ServerIdentity:
        found = dict(_usable(server, config))
        name = server.options.get("model") or next(iter(found), None)
        if name not in found:
            return ServerIdentity()
        return ServerIdentity(name, one_line(found[name].get("version", "")) or None)

    return read


def sign(server: ServerPlan) -> Callable[[Fields], Sign | None]:
    """Its models for streams, those first that understand the language; None where it has none."""

    def read(config: Fields) -> Sign | None:
        names = tuple(name for name, _ in _usable(server, config))
        return Sign(None, None, names) if 0 < len(names) <= MAX_MODELS else None

    return read


def _usable(server: ServerPlan, config: Fields) -> list[tuple[str, dict[str, str]]]:
    """Its models for streams, those first that say that they understand the language."""
    language = server.options.get("language", "").lower()
    found = {name: parameters for name, parameters in models(config) if name and not _takes_whole(parameters)}
    return sorted(found.items(), key=lambda each: language not in each[1].get("language_code", "").lower())


def _takes_whole(parameters: dict[str, str]) -> bool:
    return any(parameters.get(name, "").lower() == value for name, value in _WHOLE.items())
