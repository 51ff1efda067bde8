"""The daemon's page at /."""

import re
from unittest.mock import Mock

from probe.daemon.composition import pages


def test_every_link_of_the_front_page_leads_to_a_page_of_the_daemon() -> None:
    served = pages(Mock(), Mock())
    answer = served["/"]("text/html")
    links = re.findall(r'href="(/[^"]*)"', answer.body.decode())
    assert answer.status == 200 and answer.content_type.startswith("text/html")
    assert {"/metrics", "/healthz"} < set(links) and set(links) <= set(served)
    assert "http://localhost:9851/" in answer.body.decode()
