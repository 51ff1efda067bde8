"""The runbook as a page."""

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


def test_without_the_file_it_says_where_that_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runbook, "FILE", tmp_path / "none.md")
    answer = runbook.runbook("")
    assert answer.status == HTTPStatus.NOT_FOUND and b"docs/runbook.md" in answer.body
