"""What several tests of connections need."""

import ssl

import pytest
import trustme

from probe.transport import opening


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext | None:
    """The server's side of TLS that the client trusts, or none."""
    if request.param == "plain":
        return None
    authority, theirs, ours = (
        trustme.CA(),
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    monkeypatch.setattr(opening, "tls_context", lambda: ours)
    return theirs
