"""Whether a server is on this machine, as far as its URL says. No name is looked up."""

import socket
from collections.abc import Iterable
from contextlib import closing
from ipaddress import ip_address
from urllib.parse import urlsplit

from probe.machine.state import Source


def source_of(urls: Iterable[str]) -> Source:
    """`local` where one of these servers at least is on this machine: then its figures mean something."""
    return "local" if any(map(is_here, urls)) else "none"


def is_here(url: str) -> bool:
    """Whether the URL's host is this one: by a loopback address, one of its own, `localhost`, or its own name."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    own = socket.gethostname().lower()
    if host == "localhost" or host.endswith(".localhost") or (host and host in (own, f"{own}.local")):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    return not (address.is_unspecified or address.is_multicast) and _is_own(host, address.version)


def _is_own(host: str, version: int) -> bool:
    """An address that a socket may have is one of this machine's. Nothing is sent."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004 - of IP
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as asked:
            asked.bind((host, 0))
    except OSError:
        return False
    return True
