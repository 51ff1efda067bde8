"""Whether the daemon in this container is well: exit code 0, or 1 and why. Asked by the image's HEALTHCHECK.

The port is that of PROBE_HTTP__PORT, 9850 without it. Over TLS no certificate is verified: it is the same container. A
port that wants a password or a client's certificate is well enough to refuse.
"""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

_PORT = int(os.environ.get("PROBE_HTTP__PORT", "9850"))
_TIMEOUT_S = 4.0


def complaint(connection: HTTPConnection) -> str | None:
    """What the daemon says is wrong; None where nothing is. Raises OSError and HTTPException."""
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = answer.read(1000).decode(errors="replace").strip()
        return None if answer.status in (200, 401, 403) else said
    finally:
        connection.close()


def main() -> str | None:
    """What is wrong; None where nothing is."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    try:
        return complaint(HTTPConnection("127.0.0.1", _PORT, timeout=_TIMEOUT_S))
    except (OSError, HTTPException):
        pass
    try:
        return complaint(HTTPSConnection("127.0.0.1", _PORT, timeout=_TIMEOUT_S, context=unverified))
    except ssl.SSLError as error:
        return None if "CERTIFICATE_REQUIRED" in str(error) else str(error)
    except (OSError, HTTPException) as error:
        return f"no answer at port {_PORT}: {error}"


if __name__ == "__main__":
    sys.exit(main())
