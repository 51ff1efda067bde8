"""What a target's servers report of themselves around a run: before it with their users, after it once more."""

import asyncio
from collections.abc import Mapping, Sequence

from probe.daemon import questions
from probe.plan import Role, Target
from probe.protocols.inquiries import Inquiries
from probe.server_state import ServerFigures, ServerState, figures

# Of which server, which of the services that it consists of, and what that is asked.
Asked = tuple[Role, int, Inquiries[ServerState | None]]


class Reports:
    """Of one run. It is asked for users first, and what comes with that is not asked again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._found: dict[tuple[Role, int], ServerState] = {}

    def about_users(self) -> Sequence[Asked]:
        """What to ask about users: one entry per server that can be asked, none for the others."""
        return [
            (role, number, inquiries)
            for role, server, protocol in questions.servers(self._target)
            for number, inquiries in enumerate(protocol.users(server))
        ]

    async def users(self, asked: Asked) -> int | None:
        """How many users a server has; None where it does not say."""
        role, number, inquiries = asked
        found = await questions.first(inquiries)
        if found is None:
            self._found.pop((role, number), None)
            return None
        self._found[role, number] = found
        return found.users

    async def ask_all(self) -> None:
        """Before a run for which nobody waits for users."""
        await asyncio.gather(*map(self.users, self.about_users()))

    async def ask_others(self) -> None:
        """Before a run: those whose users nobody waits for."""
        others = [
            (role, 0, inquiries)
            for role, server, protocol in questions.servers(self._target)
            if (inquiries := protocol.figures(server))
        ]
        await asyncio.gather(*map(self.users, others))

    def before(self) -> Mapping[Role, ServerFigures]:
        """What is known without a run."""
        return {role: figures(state, None) for role, state in self._states().items()}

    async def after(self) -> Mapping[Role, ServerFigures]:
        """What the run adds to that, where a server counts."""
        before = self._states()
        counting = [
            (role, _flat(protocol.users(server)) or protocol.figures(server))
            for role, server, protocol in questions.servers(self._target)
            if role in before and before[role].counts
        ]
        answers = await asyncio.gather(*(questions.first(inquiries) for _, inquiries in counting))
        then = {role: answer for (role, _), answer in zip(counting, answers, strict=True)}
        return {role: figures(state, then.get(role)) for role, state in before.items()}

    def _states(self) -> Mapping[Role, ServerState]:
        """Of each server; the last of its services, which does the work, knows most of it."""
        return {role: self._found[role, number] for role, number in sorted(self._found)}


def _flat(services: Sequence[Inquiries[ServerState | None]]) -> Inquiries[ServerState | None]:
    return [inquiry for inquiries in services for inquiry in inquiries]
