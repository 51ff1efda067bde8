"""The runbook as a page."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest

from probe.daemon import runbook


def test_a_heading_is_an_anchor_and_no_text_is_markup() -> None:
    page = runbook.as_page(
        "# Runbook\n\nfree < 1 & <script>\n\n## What wakes somebody, and when\n\n- `a`\n### no anchor"
    )
    assert '<h2 id="runbook">Runbook</h2>' in page
    assert '<h2 id="what-wakes-somebody-and-when">What wakes somebody, and when</h2>' in page
    assert "free &lt; 1 &amp; &lt;script&gt;" in page and "<script>" not in page
    assert "### no anchor" in page
    assert page.count("<pre>") == page.count("</pre>") == 3


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("see [VoiceDrift](#voicedrift).", 'see <a href="#voicedrift">VoiceDrift</a>.'),
        ("[failures.md](failures.md) has all", '<a href="failures">failures.md</a> has all'),
        ("([doubts](failures.md#doubts))", '(<a href="failures#doubts">doubts</a>)'),
        ("[two\nlines](drift.md)", '<a href="drift">two\nlines</a>'),
        ("[rules](../deploy/rules.yml)", "rules (../deploy/rules.yml)"),
        ("[rules.yml](../deploy/rules.yml)", "rules.yml"),
        ("[<b>](https://a.example/?b&c)", '<a href="https://a.example/?b&amp;c">&lt;b&gt;</a>'),
        ("[x](javascript:alert)", "x (javascript:alert)"),
        ("a[1] (2)", "a[1] (2)"),
    ],
)
def test_a_link_is_one_where_the_daemon_serves_what_it_leads_to(markdown: str, shown: str) -> None:
    assert f"<pre>\n{shown}\n</pre>" in runbook.as_page(markdown)


def test_every_link_of_a_served_page_leads_to_a_heading_that_is_there() -> None:
    served = {path.lstrip("/"): page("").body.decode() for path, page in runbook.pages().items()}
    links = [(name, link) for name, text in served.items() for link in re.findall(r'<a href="(?!http)([^"]+)">', text)]
    assert len(links) > 5
    for name, link in links:
        page, _, heading = link.partition("#")
        assert not heading or f'<h2 id="{heading}">' in served[page or name], link
        assert (page or name) in served


def test_without_the_file_it_says_where_that_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runbook, "FOLDER", tmp_path)
    answer = runbook.pages()["/runbook"]("")
    assert answer.status == HTTPStatus.NOT_FOUND and b"docs/runbook.md" in answer.body
