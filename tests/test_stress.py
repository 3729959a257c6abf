"""`headstart stress` on a saved model: the table, the rows, and what is refused."""

import json

import pytest

from headstart import cli
from headstart.contenders.linear import Linear
from headstart.core.records import Rows, Run
from headstart.tasks.classification import Classification

COUNT = 60


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A linear model that reads 'good' and 'poor', and the file with the rows that it was trained on."""
    place = tmp_path_factory.mktemp("stress")
    texts = tuple(f"The film is {('good', 'poor')[n % 2]} and it was number {n} of them." for n in range(COUNT))
    rows = Rows(tuple(map(str, range(COUNT))), texts, ("yes", "no") * (COUNT // 2))
    task = Classification(input_columns=("text=review",)).fitted(rows)
    Linear().fit(rows, rows, task, Run(0, place / "work")).save(place / "model")
    lines = [json.dumps({"review": text, "mark": label}) for text, label in zip(texts, rows.targets, strict=True)]
    (place / "rows.jsonl").write_text("\n".join([*lines, '{"review": "", "mark": "no"}']), encoding="utf-8")
    return place / "model", place / "rows.jsonl"


def run(capsys, *arguments):
    code = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_it_prints_a_line_for_each_transformation_and_the_rows_that_break(saved, capsys):
    model, file = saved
    code, out, err = run(capsys, "stress", model, file, "--only", "typos,negation", "--rows", "50", "--label", "mark")
    assert code == 0
    assert "line 61 has no text" in err
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["transformation", "changes"]
    assert lines[1].split()[:2] == ["(none)", "100.0"]
    assert [line.split()[0] for line in lines[2:7]] == [*(f"typos:{rate}%" for rate in (2, 5, 10, 20)), "negation"]
    assert lines[6].split()[1:6] == ["50", "of", "50", "–", "–"]
    assert "negation: often another answer by a person. Insert 'not' after the first is" in out
    assert "What breaks linear:" in out
    assert "Measured on 50 of 60 rows, chosen at random." in out


def test_json_has_every_figure_and_no_text(saved, capsys):
    model, file = saved
    code, out, _ = run(capsys, "stress", model, file, "--json", "--metric", "macro-F1")
    assert code == 0
    found = json.loads(out)
    assert (found["rows"], found["all_rows"]) == (COUNT, COUNT)
    assert {score["contender"] for score in found["scores"]} == {"linear"}
    assert found["expected"]["negation"] == "other"
    assert "film" not in out
    again = run(capsys, "stress", model, file, "--json", "--metric", "macro-F1")[1]
    assert json.loads(again) == found
    assert json.loads(run(capsys, "stress", model, file, "--json", "--seed", "1")[1])["scores"] != found["scores"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["stress", "MODEL", "FILE", "--only", "typoz"], 2, "no transformation 'typoz'; did you mean 'typos'?"),
        (["stress", "FILE", "FILE"], 1, "rows.jsonl"),
        (["stress", "MODEL", "nowhere.csv"], 3, "nowhere.csv"),
        (["stress", "MODEL", "FILE", "--metric", "acuracy"], 2, "no metric 'acuracy'; did you mean 'accuracy'?"),
    ],
)
def test_wrong_names_are_one_sentence(saved, capsys, arguments, code, message):
    places = {"MODEL": saved[0], "FILE": saved[1]}
    found, out, err = run(capsys, *(places.get(word, word) for word in arguments))
    assert (found, out) == (code, "")
    assert message in err
