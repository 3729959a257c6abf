"""The command explain as a person meets it."""

import json
import re

import pytest

from headstart import cli


@pytest.fixture(scope="module")
def saved(linear, tmp_path_factory):
    """Folders of linear models, by task."""
    place = tmp_path_factory.mktemp("models")
    for name in ("classification", "pairs"):
        linear(name)[0].save(place / name)
    return place


@pytest.fixture
def run(capsys):
    """Run a command and return its exit code and the text on both streams."""

    def call(*arguments):
        capsys.readouterr()
        code = cli.run(["explain", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_texts_are_explained_in_words(saved, run):
    code, out, err = run(saved / "classification", "--text", "useless\x1b[31m, and I sent it back")
    assert (code, err) == (0, "")
    head, text, *lists, empty, last = out.splitlines()
    assert empty == ""
    assert last == "Method: contributions, the model's first method, which was not measured."
    assert head.startswith("bad  ")
    assert head.endswith("% contributions".replace(" ", "  "))
    assert text == "useless\\x1b[31m, and I sent it back"
    assert lists[0].startswith("  for it: ")
    assert "+" in lists[0]


def test_pairs_take_two_texts_and_json_has_every_word(saved, run):
    code, out, _ = run(saved / "pairs", "--text", "A man plays.", "--text", "Music.", "--json", "--class", "no")
    assert code == 0
    (found,) = json.loads(out)
    assert found["name"] == "no"
    assert found["texts"] == ["A man plays.", "Music."]
    assert [word["text"] for word in found["words"]] == ["A", "man", "plays", ".", "Music", "."]
    assert found["base"] + sum(word["attribution"] for word in found["words"]) == pytest.approx(found["score"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("classification", "--text", "x", "--method", "gradeint-x-input"), 2, "did you mean 'gradient-x-input'?"),
        (("classification", "--text", "x", "--method", "gradient-x-input"), 2, "is not one of this model's; it has"),
        (("classification", "--text", "x", "--class", "god"), 2, "no class 'god'; did you mean 'good'?"),
        (("classification", "--text", ""), 3, "the text 1 of --text has no text."),
        (("pairs", "--text", "x"), 2, "an input of this model is a first and a second; give --text for each, in this"),
        (("nowhere", "--text", "x"), 1, "is not a model folder: it holds no headstart.json"),
        (("classification",), 2, "give a FILE or a text with --text: one of them, not both."),
    ],
)
def test_mistakes_are_one_sentence(saved, run, arguments, code, message):
    folder, *rest = arguments
    found, out, err = run(saved / folder, *rest)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_file_is_measured_and_its_page_written(saved, run, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text('text,label\nuseless and loud,bad\nvery happy,good\na joy to use,bad\n"",good\n')
    arguments = (saved / "classification", table, "--rows", "3")
    code, out, err = run(*arguments, "--html", tmp_path / "page.html")
    assert code == 0
    assert "line 5 has no text" in err
    assert "for good: " in out
    assert re.search(r"contributions +comprehensiveness 0\.\d+ \(", out)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "wrong: it is bad" in page
    assert "Attention" not in page  # a linear model has none
    assert "Method: occlusion, the most comprehensive of 2 methods on 3 rows." in out
    # From now on single texts are explained by the measured method too.
    _, out, _ = run(saved / "classification", "--text", "useless")
    assert "Method: occlusion, the most comprehensive of 2 methods on 3 rows." in out
    code, out, _ = run(*arguments, "--json")
    assert json.loads(out)["measured"][0]["rows"] == 3
    assert json.loads(out)["choice"] == {"method": "occlusion", "methods": 2, "rows": 3}


def test_a_file_without_labels_is_explained_too(saved, run, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text("review\nuseless and loud\nvery happy\n")
    code, out, _ = run(saved / "classification", table, "--column", "text=review", "--method", "occlusion")
    assert code == 0
    assert "occlusion" in out.splitlines()[0]
