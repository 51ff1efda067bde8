"""Questions to a target's servers, outside of every measure: their users, their model, is it loaded?"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from probe.clock import AnchoredClock
from probe.engine.inquiry import inquire
from probe.plan import Role, ServerPlan, Target
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries
from probe.protocols.registry import PROTOCOLS
from probe.record import RunRecord, ServerIdentity
from probe.server_state import ServerFigures
from probe.transport.connector import SocketConnector

T = TypeVar("T")
# For all questions about one thing: a server that swallows them must not hold up a run for each of them.
ASK_TIMEOUT_S = 2.0


def servers(target: Target) -> Iterator[tuple[Role, ServerPlan, ServerProtocol[Any]]]:
    """Each server of a target, with its protocol."""
    for role, server in target.servers.items():
        yield role, server, PROTOCOLS[role][server.protocol]


async def first(inquiries: Inquiries[T]) -> T | None:
    """The first useful answer; None if there is none within `ASK_TIMEOUT_S`."""
    async for answer in _answers(inquiries):
        return answer
    return None


async def identity(inquiries: Inquiries[ServerIdentity]) -> ServerIdentity:
    """Model and build: one answer may have the model, and another the build."""
    found = ServerIdentity()
    async for answer in _answers(inquiries):
        found = replace(found, model=found.model or answer.model, build=found.build or answer.build)
        if found.model and found.build:
            break
    return found


async def identity_of(target: Target) -> ServerIdentity:
    """What the first server of a target that says so serves; the first is the LLM's. One that hears answers nothing."""
    for role, server, protocol in servers(target):
        if role != "stt" and (found := await identity(protocol.identity(server))) != ServerIdentity():
            return found
    return ServerIdentity()


async def cold(target: Target) -> bool | None:
    """Whether a server has to load its model for the next request; None where one can be asked and does not say."""
    asked = [inquiries for _, server, protocol in servers(target) if (inquiries := protocol.cold(server))]
    answers = [await first(inquiries) for inquiries in asked]
    if True in answers:
        return True
    return None if None in answers or not answers else False


def answered(
    record: RunRecord, served: ServerIdentity, cold: bool | None, reported: Mapping[Role, ServerFigures]
) -> RunRecord:
    """The record with what was said beside the run; that it was cold, an answer of the run itself may say, too."""
    return replace(record, served=served, cold=record.cold or cold, reported=reported)


async def _answers(inquiries: Inquiries[T]) -> AsyncIterator[T]:
    connector = SocketConnector(AnchoredClock.anchored_now())
    until = time.monotonic() + ASK_TIMEOUT_S
    for inquiry in inquiries:
        left = until - time.monotonic()
        if left > 0 and (answer := await inquire(connector, inquiry, left)) is not None:
            yield answer
