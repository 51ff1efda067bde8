"""The description that a Wyoming server sends on request: its program, and its voices."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from probe.plan import ServerPlan
from probe.protocols.fields import one_line
from probe.protocols.inquiries import Exchange, Sign
from probe.protocols.wyoming.events import Events, Heard, written
from probe.record import ServerIdentity
from probe.transport.framing.base import Incoming, Raw

T = TypeVar("T")
NO_STREAMS = 'it takes no stream of text, as its info says (supports_synthesize_streaming): set mode = "whole"'
# No server has more; a list that goes on is none.
MAX_VOICES = 2000


def asked(server: ServerPlan, read: Callable[[Mapping[str, Any]], T]) -> Exchange[T]:
    """Ask for its description; `read` takes what it says."""

    def listen() -> Callable[[Incoming], T | None]:
        events = Events()

        def hear(frame: Incoming) -> T | None:
            for each in events.feed(frame.data) if isinstance(frame, Raw) else ():
                if isinstance(each, Heard) and each.type == "info":
                    return read(each.data)
            return None

        return hear

    return Exchange(server.url, "raw", Raw(written("describe")), listen)


def program(info: Mapping[str, Any], service: str = "tts") -> ServerIdentity:
    """The program that speaks, or hears (the service "asr"), and its version."""
    for each in _installed(info.get(service)):
        names = [one_line(value) for name in ("name", "version") if isinstance(value := each.get(name), str)]
        return ServerIdentity(None, " ".join(names) or None)
    return ServerIdentity()


def sign(info: Mapping[str, Any], service: str = "tts") -> Sign | None:
    """The program of this service; None where there is none: servers of all of them speak this protocol."""
    for each in _installed(info.get(service)):
        name, version = (
            one_line(value) if isinstance(value := each.get(key), str) else None for key in ("name", "version")
        )
        return Sign(name or None, version or None)
    return None


def takes_streams(info: Mapping[str, Any]) -> bool:
    """Whether a program that speaks takes a text as it is being written."""
    return any(each.get("supports_synthesize_streaming") is True for each in _installed(info.get("tts")))


def against_streams(info: Mapping[str, Any]) -> str:
    """What is wrong where streams are wanted; empty where nothing is."""
    return "" if takes_streams(info) else NO_STREAMS


def voices(info: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The voices that it has, not those that it would have to download; None where it names none."""
    found = [voice.get("name") for each in _installed(info.get("tts")) for voice in _installed(each.get("voices"))]
    names = tuple(dict.fromkeys(one_line(name) for name in found if isinstance(name, str) and name))
    return names if 0 < len(names) <= MAX_VOICES else None


def _installed(listed: Any) -> Iterator[Mapping[str, Any]]:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("installed") is not False:
            yield each
