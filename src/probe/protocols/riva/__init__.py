"""NVIDIA's speech servers, Riva and its NIMs: those that speak, over gRPC or the NIM's own way over HTTP, and hear."""

from probe.plan import ServerPlan
from probe.protocols.base import Terms, TtsConversation
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.riva import nim, questions, recognisers
from probe.protocols.riva.conversation import RivaConversation
from probe.protocols.riva.hearing import RivaHearing
from probe.protocols.riva.options import NimOptions, RivaHearingOptions, RivaOptions
from probe.protocols.riva.stitched import StitchedConversation
from probe.record import ServerIdentity


def _converse(terms: Terms) -> TtsConversation:
    stitched = terms.server.options.get("mode") == "stitched"
    return StitchedConversation(terms) if stitched else RivaConversation(terms)


def _identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    return (questions.asked(server, questions.CONFIG, questions.program),)


def _voices(server: ServerPlan) -> Inquiries[tuple[str, ...] | None]:
    return (questions.asked(server, questions.CONFIG, questions.voices),)


def _cold(server: ServerPlan) -> Inquiries[bool | None]:
    return (questions.asked(server, questions.HEALTH, questions.loading),)


def _identity_over_http(server: ServerPlan) -> Inquiries[ServerIdentity]:
    return (Inquiry(nim.url(server, nim.METADATA), nim.program, server.headers),)


def _voices_over_http(server: ServerPlan) -> Inquiries[tuple[str, ...] | None]:
    return (Inquiry(nim.url(server, nim.VOICES), nim.voices, server.headers),)


def _cold_over_http(server: ServerPlan) -> Inquiries[bool | None]:
    # Its status is the answer, so that each of the two is asked for.
    return tuple(
        Inquiry(nim.url(server, nim.READY), read, server.headers, (status,)) for status, read in nim.LOADING.items()
    )


PROTOCOL = ServerProtocol(
    name="riva",
    schemes=("grpc", "grpcs"),
    default_url="grpc://localhost:50051",
    framing="http2",
    options=RivaOptions,
    converse=_converse,
    identity=_identity,
    voices=_voices,
    cold=_cold,
)
OVER_HTTP = ServerProtocol(
    name="riva_http",
    schemes=("http", "https"),
    default_url="http://localhost:9000",
    framing="http1",
    options=NimOptions,
    converse=nim.NimConversation,
    identity=_identity_over_http,
    voices=_voices_over_http,
    cold=_cold_over_http,
)


def _hearing_identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    return (questions.asked(server, recognisers.CONFIG, recognisers.program(server)),)


def _hearing_signs(server: ServerPlan) -> Inquiries[Sign | None]:
    return (questions.asked(server, recognisers.CONFIG, recognisers.sign(server)),)


HEARING = ServerProtocol(
    name="riva",
    schemes=("grpc", "grpcs"),
    default_url="grpc://localhost:50051",
    framing="http2",
    options=RivaHearingOptions,
    converse=RivaHearing,
    identity=_hearing_identity,
    cold=_cold,
    # A NIM that hears, where another one speaks at the usual port; and where NVIDIA's voice agent has it.
    ports=(50052, 50152),
    signs=_hearing_signs,
)
