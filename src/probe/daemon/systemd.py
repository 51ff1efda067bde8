"""The protocol of systemd for a service of Type=notify: datagrams to a socket that it names."""

import socket
import time
from contextlib import suppress


class Notifier:
    """Sends to the address in $NOTIFY_SOCKET, or nowhere where there is none. Never blocks, never raises."""

    def __init__(self, address: str | None) -> None:
        # A leading @ stands for the abstract namespace.
        self._address = address and ("\0" + address[1:] if address.startswith("@") else address)

    def send(self, *assignments: str) -> None:
        """Send assignments such as READY=1 in one message."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(assignments).encode(), self._address)

    def ready(self) -> None:
        self.send("READY=1")

    def reloading(self) -> None:
        """Report that a reload begins; `ready` ends it."""
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self.send("STOPPING=1", "STATUS=ending the current run")

    def status(self, text: str) -> None:
        self.send(f"STATUS={text}")

    def alive(self) -> None:
        """Call at least twice as often as $WATCHDOG_USEC says."""
        self.send("WATCHDOG=1")
