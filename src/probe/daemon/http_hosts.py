"""Whether a request that came over loopback was meant for this machine.

A page in a browser can have its own name resolved to 127.0.0.1, and then read what only this machine should (DNS
rebinding). The browser still sends that name as `Host`.
"""

import ipaddress
import socket
from collections.abc import Collection


def is_meant(host: str | None, local: str, allowed: Collection[str]) -> bool:
    """Whether this `Host` may be answered at the local address; `allowed` are names beyond the machine's own.

    Only loopback is checked. A client without a `Host` is no browser.
    """
    if host is None or not _is_loopback(local):
        return True
    name = _without_port(host).rstrip(".").lower()
    if name in {"localhost", socket.gethostname().lower(), *(each.lower() for each in allowed)}:
        return True
    # These are not resolved by DNS.
    return name.endswith(".localhost") or _address(name) is not None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_loopback(text: str) -> bool:
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # A Unix socket has none.
    return address is not None and address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
