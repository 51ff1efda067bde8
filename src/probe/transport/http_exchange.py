"""One HTTP request and its answer, over by a deadline. For a thread: it waits."""

import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress


def exchange(
    connection: http.client.HTTPConnection,
    request: tuple[str, str, bytes | None, Mapping[str, str]],
    timeout_s: float,
    most: int,
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a request (method, path, body, headers), return the answer and at most `most` bytes of its body.

    Raises OSError and HTTPException, TimeoutError where it is not over within `timeout_s`. A socket's own timeout would
    not do: it is for each read, and a peer that sends a byte now and then makes thousands of them.
    """
    deadline = _Deadline(connection, timeout_s)
    try:
        connection.connect()
        deadline.ends(connection.sock)
        method, path, body, headers = request
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise (TimeoutError("timed out") if deadline.passed else error) from error
    finally:
        deadline.cancel()
        connection.close()
    if deadline.passed:
        # A body without a length ends with its connection, also where we ended that.
        raise TimeoutError("timed out")
    return answer, content


class _Deadline:
    """Ends a connection's socket when it passes, so that whoever reads from it goes on."""

    def __init__(self, connection: http.client.HTTPConnection, timeout_s: float) -> None:
        self.passed = False
        self._connection = connection
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(timeout_s, self._pass)
        self._timer.daemon = True
        self._timer.start()

    def ends(self, connected: socket.socket) -> None:
        """Note the socket: the connection forgets it when the answer's head has come. Raises TimeoutError after it."""
        self._socket = connected
        if self.passed:
            raise TimeoutError

    def cancel(self) -> None:
        self._timer.cancel()

    def _pass(self) -> None:
        self.passed = True
        ended = self._socket or self._connection.sock
        if ended is not None:
            with suppress(OSError):
                # Not TLS's own way, which would talk to the peer first.
                socket.socket.shutdown(ended, socket.SHUT_RDWR)
