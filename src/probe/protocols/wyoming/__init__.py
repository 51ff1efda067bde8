"""Wyoming, the protocol of Home Assistant's voice servers, over plain TCP: those that speak, and those that hear."""

from functools import partial

from probe.plan import ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Sign
from probe.protocols.wyoming import info
from probe.protocols.wyoming.conversation import WyomingConversation
from probe.protocols.wyoming.hearing import WyomingHearing
from probe.protocols.wyoming.options import WyomingHearingOptions, WyomingOptions
from probe.record import ServerIdentity


def _identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    return (info.asked(server, info.program),)


def _voices(server: ServerPlan) -> Inquiries[tuple[str, ...] | None]:
    return (info.asked(server, info.voices),)


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    return (info.asked(server, info.sign),)


def _advice(server: ServerPlan) -> Inquiries[str | None]:
    return (info.asked(server, info.against_streams),) if server.options.get("mode") == "streamed" else ()


PROTOCOL = ServerProtocol(
    name="wyoming",
    schemes=("tcp",),
    default_url="tcp://localhost:10200",
    framing="raw",
    options=WyomingOptions,
    converse=WyomingConversation,
    identity=_identity,
    voices=_voices,
    advice=_advice,
    takes_pieces=lambda server: server.options.get("mode") == "streamed",
    signs=_signs,
)


def _hearing_identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    return (info.asked(server, partial(info.program, service="asr")),)


def _hearing_signs(server: ServerPlan) -> Inquiries[Sign | None]:
    return (info.asked(server, partial(info.sign, service="asr")),)


HEARING = ServerProtocol(
    name="wyoming",
    schemes=("tcp",),
    default_url="tcp://localhost:10300",
    framing="raw",
    options=WyomingHearingOptions,
    converse=WyomingHearing,
    identity=_hearing_identity,
    signs=_hearing_signs,
)
