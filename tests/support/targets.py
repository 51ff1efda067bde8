"""Targets with something else in one of their servers."""

from dataclasses import replace
from typing import Any

from probe.plan import Role, Target


def with_server(target: Target, role: Role, *, url: str | None = None, **options: Any) -> Target:
    """The target with another address of a server, or other options of its protocol."""
    server = target.servers[role]
    changed = replace(server, url=url or server.url, options={**server.options, **options})
    return replace(target, servers={**target.servers, role: changed})
