"""The page of a run, as HTML is read: what it says, and that no text in it becomes anything but text."""

from runs import START, failed, free_running, record

from probe.report.html import environment, run_page

NOW = START + 3 * 60 * 10**9


def test_a_run_says_what_it_was_and_what_took_the_time() -> None:
    html = run_page.fragment(record(), NOW)
    assert "local, default" in html and "2023-11-14 22:13:20 UTC, 3 minutes ago" in html
    assert "The longest wait was" in html


def test_a_failure_says_where_why_and_what_to_do() -> None:
    html = run_page.fragment(failed(), NOW)
    assert "Failed in chunk 2, stage tts, no_audio" in html
    assert "What to do: choose another voice" in html
    assert "nothing came for 10.0 s" in html


def test_a_fragment_has_no_script_no_style_and_no_address() -> None:
    html = run_page.fragment(free_running(), NOW)
    assert not any(part in html for part in ("<script", "<style", "style=", "javascript:", "href=", "onclick"))


def test_a_file_of_its_own_loads_nothing() -> None:
    html = environment.standalone("A run", run_page.fragment(record(), NOW), "now")
    assert environment.style() in html and environment.style_hash() in html
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
