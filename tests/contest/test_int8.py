"""Whether int8 is available: what is measured, what is kept, and what is refused in which words."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from headstart.checkpoints import manifest
from headstart.contenders.majority import Majority
from headstart.contest import int8
from headstart.contest.int8 import FILE, MOST_ROWS, Agreement
from headstart.core import sealed
from headstart.core.contracts import Fitted
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Predictions, Rows
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

GOOD = Agreement(rows=1000, agreement=0.985, metric="accuracy", score=0.905, int8_score=0.9)
TASK = Classification(("no", "yes"))


@dataclass
class Fake(Fitted):
    """A model that reads its answer off the text, and whose 8-bit version errs on some."""

    task: Classification = TASK
    wrong: str = ""
    seen: int = 0

    has_int8 = True

    def predict(self, texts):
        self.seen += len(texts)
        turned = {"no": "yes", "yes": "no"}
        values = [text.split()[0] for text in texts]
        values = [turned[v] if self.wrong and self.wrong in t else v for v, t in zip(values, texts, strict=True)]
        return Predictions(tuple(values), TASK.classes, np.zeros((len(texts), 2), dtype=np.float32))

    def with_int8(self):
        return replace(self, wrong="hard")


@pytest.fixture
def model(monkeypatch, tmp_path):
    fake = Fake()
    manifest.write(tmp_path, "finetuned", TASK, {})
    monkeypatch.setattr(model_folder, "open_model", lambda folder: fake)
    return fake


def rows(count, hard=0):
    """Make rows that the model answers rightly; its 8-bit version does not answer the hard ones so."""
    texts = [f"{('no', 'yes')[n % 2]} {'hard' if n < hard else 'easy'} {n}" for n in range(count)]
    return Rows(tuple(map(str, range(count))), tuple(texts), tuple(text.split()[0] for text in texts))


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, True),
        ({"agreement": 0.9849}, False),
        ({"int8_score": 0.91}, True),
        ({"int8_score": 0.8999}, False),
        ({"int8_score": 0.9101}, False),
        ({"agreement": 1.0, "score": 0.885, "int8_score": 0.88}, True),
    ],
)
def test_both_figures_have_to_be_good(changes, offered):
    assert replace(GOOD, **changes).offered is offered


def test_both_figures_are_said_either_way():
    assert GOOD.sentence == (
        "int8 is available (predict --int8): 98.50 % of 1,000 validation labels are unchanged, "
        "accuracy changes by -0.50 points."
    )
    assert replace(GOOD, agreement=0.97, int8_score=0.907).sentence == (
        "int8 is refused: 97.00 % of 1,000 validation labels are unchanged, accuracy changes by +0.20 points; "
        "it needs 98.5 % and at most 0.5 points."
    )


def test_agreement_and_score_are_counted_and_kept(model, tmp_path):
    judged = int8.judge(tmp_path, rows(200, hard=3), "accuracy")
    assert judged == Agreement(rows=200, agreement=0.985, metric="accuracy", score=1.0, int8_score=0.985)
    assert not judged.offered
    assert sealed.read_note(tmp_path / FILE) == vars(judged)


def test_a_file_of_an_earlier_version_is_read(model, tmp_path):
    known = {"rows": 50, "agreement": 0.99, "metric": "accuracy", "score": 0.9, "int8_score": 0.896}
    sealed.write_note(tmp_path / FILE, known)
    manifest.add(tmp_path, FILE)
    found = int8.judge(tmp_path, rows(50), "accuracy")
    assert found == Agreement(**known, kind="label", unit="%", most=0.005)
    assert found.offered


def test_what_was_found_is_not_sought_again(model, tmp_path):
    first = int8.judge(tmp_path, rows(50), "accuracy")
    seen = model.seen
    assert int8.judge(tmp_path, rows(50, hard=9), "accuracy") == first
    assert model.seen == seen


def test_of_many_rows_an_even_sample_is_taken(model, tmp_path):
    judged = int8.judge(tmp_path, rows(4 * MOST_ROWS, hard=2 * MOST_ROWS), "accuracy")
    assert judged.rows == MOST_ROWS
    assert judged.agreement == pytest.approx(0.5, abs=0.001)


def test_other_names_of_the_files_keep_their_content(model, tmp_path):
    (tmp_path / "model").mkdir()
    manifest.write(tmp_path / "model", "finetuned", TASK, {})
    int8.judge(tmp_path / "model", rows(50), "accuracy")
    names = (FILE, manifest.NAME)
    (tmp_path / "best").mkdir()
    for name in names:
        (tmp_path / "best" / name).hardlink_to(tmp_path / "model" / name)
    before = [(tmp_path / "best" / name).read_text() for name in names]
    (tmp_path / "model" / FILE).unlink()
    int8.judge(tmp_path / "model", rows(50, hard=9), "accuracy")
    assert [(tmp_path / "best" / name).read_text() for name in names] == before


@pytest.mark.parametrize("content", ["", "[1]", '{"rows": 3}', None])
def test_a_file_that_the_manifest_does_not_list_so_is_made_again(model, tmp_path, content):
    judged = int8.judge(tmp_path, rows(50), "accuracy")
    if content is None:
        (tmp_path / FILE).unlink()
    else:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(CheckpointError, match=r"has no int8\.json, so the effect"):
        int8.open_model(tmp_path)
    assert int8.judge(tmp_path, rows(50), "accuracy") == judged
    assert manifest.verify(tmp_path).files.keys() == {FILE}


def test_what_a_kill_left_before_it_was_listed_is_made_again(tmp_path):
    folder = tmp_path / "model"
    Majority().fit(rows(9), rows(9), TASK, None).save(folder)
    (folder / FILE).write_text("{}")
    with pytest.raises(CheckpointError, match=r"int8\.json' is not among the files that .*headstart\.json' lists"):
        model_folder.open_model(folder)
    assert int8.judge(folder, rows(9), "accuracy") is None
    assert not (folder / FILE).exists()


def test_an_offered_version_is_opened_with_what_speaks_for_it(model, tmp_path):
    agreement = int8.judge(tmp_path, rows(50), "accuracy")
    assert int8.open_model(tmp_path) == (model.with_int8(), agreement)


def test_a_refused_version_is_not_opened(model, tmp_path):
    int8.judge(tmp_path, rows(50, hard=5), "MCC")
    with pytest.raises(
        UsageError,
        match=r"int8 is refused: 90\.00 % of 50 validation labels are unchanged, MCC changes by -0\.\d+; it "
        r"needs 98\.5 % and at most 0\.005\.",
    ):
        int8.open_model(tmp_path)


def test_a_version_that_nobody_tried_is_not_opened(model, tmp_path):
    with pytest.raises(CheckpointError, match=r"has no int8\.json, so the effect .* run headstart compare again"):
        int8.open_model(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"rows": 3}'])
def test_a_damaged_file_is_named(model, tmp_path, content):
    (tmp_path / FILE).write_text(content)
    manifest.add(tmp_path, FILE)
    with pytest.raises(CheckpointError, match=r"int8\.json' is damaged; delete it, and run headstart compare again"):
        int8.open_model(tmp_path)


def test_a_damaged_file_is_found_again(model, tmp_path, capsys):
    judged = int8.judge(tmp_path, rows(50), "accuracy")
    path = tmp_path / FILE
    path.write_text(path.read_text().replace('"agreement": 1.0', '"agreement": 0.9'))
    assert int8.judge(tmp_path, rows(50), "accuracy") == judged
    assert "int8.json' is damaged, so it is deleted and made again." in capsys.readouterr().err


def test_a_model_without_a_transformer_has_no_such_version(tmp_path):
    folder = Path(tmp_path / "model")
    Majority().fit(rows(9), rows(9), TASK, None).save(folder)
    assert int8.judge(folder, rows(9), "accuracy") is None
    assert not (folder / FILE).exists()
    with pytest.raises(UsageError, match="contains no Transformer, and only Transformers have an int8 version"):
        int8.open_model(folder)
