"""The page: no request to anywhere, nothing of the data as markup, and a sign beside every colour."""

import re
from pathlib import Path

import pytest

from headstart.core.records import Rows
from headstart.explain import faithfulness
from headstart.explain.chosen import Choice
from headstart.explain.overview import TOKENS, overview
from headstart.report import explained

HOSTILE = "<script>alert(1)</script> useless & broken, sent back"
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def page(linear):
    model, inputs = linear("classification")
    rows = Rows(tuple("1234567"), (*inputs, HOSTILE), ("good", "good", "good", "bad", "bad", "bad", "good"))
    measured = faithfulness.measure(model, inputs, most_rows=4)
    return explained.page(overview(model, rows, measured=measured), "Why <b>it</b> answers")


def test_it_loads_nothing_and_escapes_the_data(page):
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", page)
    assert "<script>" not in page
    assert "&lt;" in page
    assert "Why &lt;b&gt;it&lt;/b&gt; answers" in page


def test_strong_words_have_their_number_beside_the_colour(page):
    marked = re.findall(r'<span class="((?:for|against)-4)" title="([^"]+)">[^<]+(?:<sup>([^<]+)</sup>)?', page)
    assert marked
    for style, title, beside in marked:
        assert title == beside
        assert title[0] == ("+" if style.startswith("for") else "\N{MINUS SIGN}")


def test_it_names_mistakes_classes_and_the_figures_of_methods(page):
    text = re.sub(r"<[^>]+>", "", page)
    assert "wrong: it is good" in text
    assert "Words that speak for each class" in text
    assert "comprehensiveness" in text
    assert "occlusion" in text


def test_numbers_facts_and_answers_have_pages_too(transformer):
    for name in ("regression", "ner", "qa", "multilabel"):
        model, inputs = transformer(name)
        rows = Rows(tuple(map(str, range(len(inputs)))), inputs, tuple(target for _, target in model.task.SAMPLE))
        assert "explained" in explained.page(overview(model, rows, choice=Choice("gradient-x-input"), most_rows=3), "x")


def test_attention_is_a_picture_that_says_that_it_is_no_explanation(transformer):
    model, _ = transformer("classification")
    texts = ("<b> lasts two days", "fast " * 60)
    for text in texts:
        rows = Rows(("1",), (text,))
        assert "<svg" not in explained.page(overview(model, rows, choice=Choice("occlusion")), "x")
        page = explained.page(overview(model, rows, choice=Choice("occlusion"), attention=True), "x")
        assert "Attention: not an explanation" in page
        (picture,) = re.findall(r'<svg class="attention".*?</svg>', page)
        assert "<b>" not in picture
        labels = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
        assert labels[:2] == ["[CLS]"] * 2
        # The deepest square is opaque, and weights are in words too.
        assert 'fill-opacity="1.00"' in picture
        assert re.search(r"<title>[^<]+ to [^<]+: 0\.\d\d</title>", picture)
        assert len(labels) <= 2 * TOKENS
        assert ("without its last 24 tokens" in page) == (text == texts[1])


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
def test_a_browser_shows_it_without_an_error(page, tmp_path):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        tab = browser.new_page(color_scheme="dark", viewport={"width": 360, "height": 800})
        errors, requests = [], []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda message: errors.append(message.text))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        assert tab.locator(".for-4").first.is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        browser.close()
    assert errors == []
    assert len(requests) == 1
