"""Translations: what is read, what is right, and how they are scored."""

import pytest

from headstart import reading
from headstart.core import rooms
from headstart.core.contracts import metric_values
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.tasks.translation import Translation

TASK = Translation()


def test_a_row_may_have_several_translations():
    assert TASK.read({"source": "A dog.", "target": "Ein Hund."}) == ("A dog.", ("Ein Hund.",))
    assert TASK.read({"source": "A dog.", "target": ["Ein Hund.", "Hund."]})[1] == ("Ein Hund.", "Hund.")
    assert TASK.read({"source": "A dog."}) == ("A dog.", None)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"source": " ", "target": "Ein Hund."}, "has no source"),
        ({"source": "A dog.", "target": ""}, "has no target"),
        ({"source": "A dog.", "target": []}, "has no target"),
        ({"source": "A dog.", "target": ["Ein Hund.", None]}, "has no target"),
    ],
)
def test_what_cannot_be_used_says_why(cells, message):
    with pytest.raises(DataError, match=message):
        TASK.read(cells)


def test_the_language_to_translate_into_is_a_tag_before_the_source():
    read = [TASK.read({"source": "A dog.", "language": each, "target": "Hund."})[0] for each in ("de", " pt BR ")]
    assert read == ["<2de> A dog.", "<2pt-BR> A dog."]
    rows = Rows(("1", "2"), tuple(read), (("Hund.",), ("Cão.",)))
    fitted = TASK.fitted(rows)
    assert fitted.languages == ("de", "pt-BR")
    assert fitted.untrained("<2de> A dog.", 0) == "A dog."
    assert fitted.read({"source": "A dog.", "language": "de"}) == ("<2de> A dog.", None)
    assert TASK.fitted(Rows(("1",), ("A dog.",), (("Hund.",),))) == TASK


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"language": "fr"}, "has the language 'fr', and the model knows de alone"),
        ({"language": " "}, "has no language"),
        ({}, "has no language to translate into; the model knows de"),
    ],
)
def test_languages_that_a_model_does_not_know_are_named(cells, message):
    fitted = Translation(languages=("de",))
    with pytest.raises(DataError, match=message):
        fitted.read({"source": "A dog.", **cells})


def test_any_of_several_translations_is_right():
    targets = (("Ein Hund rennt schnell.", "Ein Hund läuft schnell."),)
    right, wrong = (
        TASK.tally(Predictions((text,)), targets).total for text in ("Ein Hund läuft schnell.", "Eine Katze schläft.")
    )
    assert [float(metric.of(right)) for metric in TASK.metrics] == pytest.approx([1.0, 1.0])
    assert all(float(metric.of(wrong)) < 0.3 for metric in TASK.metrics)


def test_edits_are_counted_on_request_alone():
    assert [metric.name for metric in TASK.metrics] == ["BLEU", "chrF"]
    asked = reading.task("translation", metric="TER")
    assert [metric.name for metric in asked.metrics] == ["BLEU", "chrF", "TER"]
    assert reading.task("translation", metric="chrF") == TASK
    assert reading.task("classification", metric="TER") == rooms.load("tasks", "classification")
    total = asked.tally(Predictions(("Ein Hund rennt.",)), (("Der Hund rennt.",),)).total
    assert metric_values(asked, Predictions(("Ein Hund rennt.",)), Rows(("1",), ("A",), (("Der Hund rennt.",),))) == {
        metric.name: float(metric.of(total)) for metric in asked.metrics
    }
    assert float(asked.metrics[-1].of(total)) == pytest.approx(1 / 3)


def test_the_floor_is_the_source():
    rows = Rows(("1",), ("Berlin",), (("Berlin",),))
    contender = rooms.load("contenders", "majority")
    from headstart.core.records import Run

    fitted = contender.fit(rows, rows, TASK, Run(0, None, metric="BLEU"))
    assert fitted.predict(["A dog."]).values == ("A dog.",)


def test_the_most_probable_candidate_is_chosen():
    chosen = TASK.chosen([(("Ein Hund.", 0.3), ("Hund.", 0.7))])
    assert (chosen.values, chosen.confidence.tolist()) == (("Hund.",), [0.7])


def test_there_are_no_scores_of_tokens():
    rows, encoded = Rows((), ()), Encoded.without_tokens(0)
    with pytest.raises(TypeError, match="so that there is nothing to score for each token of a text"):
        TASK.targets(rows, encoded)
    with pytest.raises(TypeError, match="so that there are no scores to choose them by"):
        TASK.decode(Ragged(encoded.tokens, encoded.boundaries), encoded, ())
