"""What a Riva server says of itself over gRPC: its model, its voices, and whether it is ready."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from probe.plan import ServerPlan
from probe.protocols.fields import one_line
from probe.protocols.inquiries import Exchange
from probe.protocols.riva import wire
from probe.protocols.riva.call import called
from probe.protocols.riva.conversation import SERVICE
from probe.record import ServerIdentity
from probe.transport.framing.base import Body, Incoming

T = TypeVar("T")
CONFIG = f"{SERVICE}/GetRivaSynthesisConfig"
# Of gRPC itself, for any server: of all services, which has no name.
HEALTH = "/grpc.health.v1.Health/Check"
# No server has more; a list that goes on is none.
MAX_VOICES = 2000
_CONFIGS = _MODEL = _STATUS = _KEY = 1
_PARAMETERS = _VALUE = 2
_SERVING, _NOT_SERVING = 1, 2

Fields = list[tuple[int, int | bytes]]


def asked(server: ServerPlan, method: str, read: Callable[[Fields], T]) -> Exchange[T]:
    """Ask something that needs no words; `read` takes the one message that answers it."""

    def listen() -> Callable[[Incoming], T | None]:
        messages = wire.Messages()

        def hear(frame: Incoming) -> T | None:
            for each in messages.feed(frame.data) if isinstance(frame, Body) else ():
                if isinstance(each, bytes):
                    try:
                        return read(wire.read(each))
                    except ValueError:
                        return None
            return None

        return hear

    return Exchange(server.url, "http2", called(method, b"", headers=server.headers), listen)


def loading(health: Fields) -> bool | None:
    """Whether it has its models still to load: it serves nothing until it has them all."""
    status = next((value for number, value in health if number == _STATUS), 0)
    return {_SERVING: False, _NOT_SERVING: True}.get(status) if isinstance(status, int) else None


def program(config: Fields) -> ServerIdentity:
    """The first model that it speaks with, and that model's version where it states one."""
    for name, parameters in models(config):
        return ServerIdentity(name or None, parameters.get("version") or None)
    return ServerIdentity()


def voices(config: Fields) -> tuple[str, ...] | None:
    """The voices by the names that are asked for; None where it names none."""
    found = dict.fromkeys(name for _, parameters in models(config) for name in _names(parameters))
    return tuple(found) if 0 < len(found) <= MAX_VOICES else None


def _names(parameters: dict[str, str]) -> Iterator[str]:
    """A voice has others below it, such as `Aria:0,Leo:1`: their names and numbers."""
    name = parameters.get("voice_name", "")
    below = [each.partition(":")[0].strip() for each in parameters.get("subvoices", "").split(",")]
    if name:
        yield from (one_line(f"{name}.{each}") for each in below if each)
        if not any(below):
            yield one_line(name)


def models(config: Fields) -> Iterator[tuple[str, dict[str, str]]]:
    """Each model by its name, with its parameters."""
    for model in wire.texts(config, _CONFIGS):
        fields = wire.read(model)
        pairs = [wire.read(each) for each in wire.texts(fields, _PARAMETERS)]
        yield _text(fields, _MODEL), {_text(pair, _KEY): _text(pair, _VALUE, whole=True) for pair in pairs}


def _text(fields: Fields, number: int, *, whole: bool = False) -> str:
    """A text, on one line; a list is longer than that."""
    found = b"".join(wire.texts(fields, number)[-1:]).decode("utf-8", "replace")
    return found if whole else one_line(found)
