"""The pages: served with a strict policy, and used in a real browser by keyboard."""

import re
from pathlib import Path

import pytest
from tests.serve.conftest import Model, fitted_task

from headstart import explain
from headstart.core import sealed
from headstart.explain.explanation import Explanation, Word
from headstart.serve import explanation, pages

CHROMIUM = Path("/usr/bin/chromium")
SCRIPT = "<script>document.title = 'hacked'</script>"
TOKEN = "0123456789abcdef"


def explained(model, values, method):
    """An explanation: the first word speaks for the answer, the last one against it."""
    found = []
    for row, text in enumerate(values):
        places = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
        signs = [1.0, *[0.0] * (len(places) - 2), -0.5][: len(places)]
        words = tuple(
            Word(text[start:end], 0, start, end, sign) for (start, end), sign in zip(places, signs, strict=True)
        )
        found.append(Explanation(row, (text,), "good", "good", 0.75, "occlusion", words, 0.5, 0.0))
    return tuple(found)


@pytest.fixture
def with_explanations(monkeypatch):
    monkeypatch.setattr(explanation, "explain", explained)


def test_assets_are_packaged_and_hold_nothing_inline_and_nothing_from_outside(shared):
    for path, (name, kind) in pages.ASSETS.items():
        answer = shared.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert "://" not in answer.text, name
        if name.endswith(".html"):
            assert not re.search(r"<script(?! src=\"[\w.]+\" defer></script>)|<style| style=| on\w+=", answer.text)


def test_the_model_is_described_and_its_card_is_text(own, tmp_path):
    running = own(folder=tmp_path)
    assert running.client.get("/model").json()["card"] is False
    answer = running.client.get("/card")
    assert answer.status_code == 404
    assert answer.json()["error"] == "this model has no card: there is no README.md in its folder."
    (tmp_path / "README.md").write_bytes(b"# Card\n" + SCRIPT.encode() + b"\xff")
    assert running.client.get("/model").json() == {
        "name": "reviews",
        "kind": "label",
        "roles": [{"role": "text", "required": True}],
        "columns": [],
        "classes": ["bad", "good"],
        "example": "A text.",
        "upload_bytes": 50_000_000,
        "card": True,
    }
    card = running.client.get("/card")
    assert card.headers["content-type"] == "text/plain; charset=utf-8"
    assert card.text == f"# Card\n{SCRIPT}\ufffd"


def test_an_answer_is_explained(shared, with_explanations):
    found = shared.client.post("/explain", json={"inputs": ["so good"]}).json()["explanations"]
    assert found == [
        {
            "answer": "good",
            "confidence": 0.75,
            "method": "occlusion",
            "texts": ["so good"],
            "words": [
                {"text": "so", "source": 0, "start": 0, "end": 2, "attribution": 1.0},
                {"text": "good", "source": 0, "start": 3, "end": 7, "attribution": -0.5},
            ],
        }
    ]
    answer = shared.client.post("/explain", json={"inputs": ["a", "b"]})
    assert answer.json()["error"].startswith("a request has 1 to 1 inputs, and this one has 2;")


def test_the_measured_method_explains(own, with_explanations, tmp_path):
    assert own(folder=tmp_path).client.post("/explain", json={"inputs": ["a"]}).json()["measured_rows"] == 0
    sealed.write_note(tmp_path / "explanation.json", {"rows": 40, "comprehensiveness": {"occlusion": [0.3, 0.2, 0.4]}})
    found = own(folder=tmp_path).client.post("/explain", json={"inputs": ["a"]}).json()
    assert (found["measured_rows"], found["explanations"][0]["method"]) == (40, "occlusion")


def test_a_real_explanation_is_json(shared):
    found = shared.client.post("/explain", json={"inputs": ["even more"]}).json()["explanations"]
    assert [word["text"] for word in found[0]["words"]] == ["even", "more"]
    assert found[0]["method"] in explain.METHODS


# --- in a browser ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.is_file():
        pytest.skip("there is no /usr/bin/chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra dev")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Open a page; what the console says and what is requested are checked at the end."""
    contexts, problems, requests = [], [], []

    def open_page(running, path="/", **options):
        context = browser.new_context(base_url=f"http://127.0.0.1:{running.port}", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    refusals = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in problems if not text.startswith(refusals)] == []
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in requests)


def test_the_page_in_a_browser_by_keyboard(own, opened, tmp_path, with_explanations):
    (tmp_path / "README.md").write_text(f"# Card\n{SCRIPT}")
    running = own(Model(fitted_task()), folder=tmp_path, token=TOKEN)
    page = opened(running, viewport={"width": 360, "height": 740})
    page.get_by_label("Token of this server").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("send the server's token in the header").wait_for()
    page.get_by_label("Token of this server").fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="reviews").wait_for()
    page.locator("textarea:focus").wait_for()
    page.keyboard.type(f"so {SCRIPT} good")
    page.keyboard.press("Tab")
    assert page.locator("button:focus").inner_text() == "Predict"
    page.keyboard.press("Enter")
    page.get_by_text("For it: so. Against it: good.").wait_for()
    assert page.get_by_role("status").first.inner_text().split("\n")[-1] == "Confidence: 75.0 %"
    assert page.locator("mark").all_inner_texts() == ["so", "good"]
    assert SCRIPT in page.locator(".words").inner_text()
    assert page.locator("#card").inner_text() == f"# Card\n{SCRIPT}"
    assert page.title() == "reviews - Headstart"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    page.get_by_label("CSV, TSV or JSON Lines").set_input_files(
        {"name": "more.csv", "mimeType": "text/csv", "buffer": b"text\neven\nodd\n"}
    )
    page.get_by_role("button", name="Predict the rows").press("Enter")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the answers").press("Enter")
    assert download.value.suggested_filename == "more-answers.csv"
    assert (
        Path(download.value.path()).read_text() == "text,label,p(bad),p(good)\neven,good,0.25,0.75\nodd,bad,0.75,0.25\n"
    )

    page.get_by_label("Text").fill("unreadable")
    page.keyboard.press("Control+Enter")
    page.get_by_role("alert").get_by_text("the model cannot read this: a text is unreadable.").wait_for()


def test_every_field_of_a_task_has_its_label(own, opened):
    page = opened(own(Model(fitted_task("qa"))))
    page.get_by_label("Question").fill("Who?")
    page.get_by_label("Context").fill("Ada lives in Rome.")
    assert page.locator("label").count() == page.locator("textarea, input").count()


def test_the_routes_in_a_browser(own, opened):
    page = opened(own(), "/docs")
    page.get_by_role("heading", name="POST /predict", exact=True).wait_for()
    assert page.get_by_role("heading", name="POST /v2/models/reviews/infer").count() == 1
    assert '"inputs"' in page.locator("pre").first.inner_text()
