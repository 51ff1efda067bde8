"""The sockets that a host and a port stand for."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

# So many connections may wait in the kernel: a crowd's should not be dropped, for a dropped one tries again after 1 s.
BACKLOG = 1024
# `localhost` is both by definition, whatever the resolver says.
_LOCALHOST = ("127.0.0.1", "::1")
# The machine lacks this family, or this address.
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
# Of a free port of one family, that of the other may be in use.
_TRIES = 10


def listening(host: str, port: int) -> Sequence[socket.socket]:
    """A socket for each address that a name stands for, all on one port; `::` is every address of both families.

    What the machine does not have is left out, as long as something remains. Raises OSError.
    """
    if host == "::":
        with suppress(_Elsewhere):
            return [_taken(("::", port), socket.AF_INET6, both=socket.has_dualstack_ipv6())]
        return [_taken(("0.0.0.0", port), socket.AF_INET, both=False)]
    names = _LOCALHOST if host.rstrip(".").lower() == "localhost" else (host,)
    places = {address: family for name in names for family, address in _resolved(name, port)}
    for _ in range(_TRIES - 1):
        try:
            return _all(places, port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _all(places, port)


class _Elsewhere(OSError):
    """The machine lacks the address."""


def _resolved(host: str, port: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The family and the address of each place that a name stands for."""
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
        yield family, address


def _all(places: dict[tuple[Any, ...], int], port: int) -> Sequence[socket.socket]:
    sockets: list[socket.socket] = []
    lacking: _Elsewhere | None = None
    try:
        for (host, _, *scope), family in places.items():
            try:
                sockets.append(_taken((host, port, *scope), family, both=False))
            except _Elsewhere as error:
                lacking = error
            else:
                port = sockets[0].getsockname()[1]
    except OSError:
        for each in sockets:
            each.close()
        raise
    if not sockets:
        raise lacking or OSError(errno.EADDRNOTAVAIL, "no such address")
    return sockets


def _taken(address: tuple[Any, ...], family: int, *, both: bool) -> socket.socket:
    try:
        taken = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        if error.errno in _NOT_HERE:
            raise _Elsewhere(error.errno, error.strerror) from error
        raise
    taken.setblocking(False)
    return taken
