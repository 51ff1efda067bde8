"""How pages are made: what a template may do, what a wheel holds, and the picture as a file of its own."""

import tomllib
import xml.etree.ElementTree as ET
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from runs import record, skipped

from probe.report.html import environment, picture_file
from probe.text import on_page

ROOT = Path(__file__).parents[4]
PACKAGE = ROOT / "src" / "probe"


def test_a_wheel_holds_every_template_and_the_style() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = settings["package-data"]["probe"]
    folder = PACKAGE / "report" / "html"
    files = [each for each in folder.rglob("*") if each.is_file() and each.suffix not in {".py", ".pyc"}]
    assert len(files) > 5
    assert [each for each in files if not any(fnmatch(str(each.relative_to(PACKAGE)), one) for one in patterns)] == []


def shown(template: str, **values: object) -> str:
    return environment.ours().from_string(template).render(values)


def test_every_text_is_escaped_and_none_hides_anything() -> None:
    assert shown("{{ text }}", text="<b>\u202e&\x00'") == "&lt;b&gt; &amp; &#39;"
    assert shown("{{ text }}", text=Markup("<b>")) == "<b>"
    assert shown("{{ number }} {{ 7 }}", number=1.5) == "1.5 7"


def test_a_name_that_a_template_does_not_get_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        shown("{{ nothing }}")


def test_other_folders_may_have_templates_that_use_ours(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{% include 'note.html' %}{{ row }}", "utf-8")
    (tmp_path / "note.html").write_text("a note, ", "utf-8")
    made = environment.environment(tmp_path)
    assert made.get_template("page.html").render(row=1) == "a note, 1"
    assert made.get_template("run.html")


@pytest.mark.parametrize(
    ("text", "page"),
    [("plain", "plain"), ("a\nb\tc", "a\nb\tc"), ("\x1b[31mred", " [31mred"), ("\u202e\u2066\ud800\x9b", "    ")],
)
def test_what_a_page_may_be_given(text: str, page: str) -> None:
    assert on_page(text) == page


def test_a_picture_is_xml_with_everything_in_it() -> None:
    picture = picture_file.svg(record())
    root = ET.fromstring(picture)  # noqa: S314 - our own
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Listener", "Connect", "Chunk 1", "Chunk 2", "TTS: waiting for the first audio"} <= set(texts)
    assert "href" not in picture and "url(" not in picture
    assert float(root.attrib["height"]) > 150


def test_there_is_no_picture_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing of this run has a time"):
        picture_file.svg(skipped())


def test_the_picture_in_the_readme_is_one_of_todays() -> None:
    """Made with another style, it would look unlike the pages: docs/report.md has the command."""
    picture = (ROOT / "docs" / "images" / "run-waterfall.svg").read_text("utf-8")
    assert f"<style>{environment.style()}</style>" in picture
