"""Faithfulness: removed words, means and their order; what many explanations share; a model explained on rows."""

from dataclasses import replace

import numpy as np
import pytest

from headstart import explain
from headstart.core.errors import DataError
from headstart.core.records import Rows
from headstart.explain import faithfulness
from headstart.explain.corpus import pushes, shared
from headstart.explain.explanation import Explanation, Word
from headstart.explain.overview import overview

SURE = "The battery lasts two days and charges fast, a joy to use and very happy with it."


def test_comprehensiveness_is_the_fall_without_the_words_that_count_most(linear):
    model, inputs = linear("classification")
    texts = [*inputs, SURE]
    measured = faithfulness.measure(model, texts, methods=["contributions"], seed=3)
    falls, rest = [], []
    for each in explain.explain(model, texts, method="contributions"):
        order = sorted(range(len(each.words)), key=lambda number: -each.words[number].attribution)
        number = model.task.classes.index(each.name)
        for share in faithfulness.SHARES:
            count = int(np.ceil(share * len(order)))
            for words, found in ((order[:count], falls), (order[count:], rest)):
                spans = [(each.words[word].start, each.words[word].end) for word in sorted(words)]
                without = model.predict([model.task.without(each.texts[0], [spans])])
                found.append(each.confidence - without.probabilities[0, number])
    (found,) = measured
    assert found.rows == 7
    assert found.comprehensiveness.value == pytest.approx(np.mean(falls), abs=1e-6)
    assert found.sufficiency.value == pytest.approx(np.mean(rest), abs=1e-6)
    assert found.comprehensiveness.low < found.comprehensiveness.value < found.comprehensiveness.high
    assert found.above_random.value > 0


def test_the_best_method_is_first_and_one_that_errs_is_last(linear, monkeypatch):
    from headstart.explain import occlusion

    model, inputs = linear("classification")
    attribute = occlusion.attribute

    def reversed_signs(*arguments):
        return [replace(each, values=-each.values) for each in attribute(*arguments)]

    monkeypatch.setattr(occlusion, "attribute", reversed_signs)
    measured = faithfulness.measure(model, inputs)
    assert [each.method for each in measured] == ["contributions", "occlusion"]
    assert measured[1].above_random.high < 0


@pytest.mark.parametrize("name", ["ner", "qa", "regression", "pairs"])
def test_every_kind_of_answer_is_measured(name, transformer):
    model, inputs = transformer(name)
    measured = faithfulness.measure(model, inputs, methods=["gradient-x-input"], most_rows=4)
    assert measured[0].rows in (3, 4)
    if name == "regression":
        assert measured[0].comprehensiveness.value > 0


def test_rows_without_words_to_remove_are_refused(linear):
    model, _ = linear("classification")
    with pytest.raises(DataError, match="no row has an answer and words to remove, so no method can be measured"):
        faithfulness.measure(model, ["", " "])


def made(row, name, *words):
    parts = tuple(Word(text, 0, 0, len(text), value) for text, value in words)
    return Explanation(row, ("",), name, name, 0.9, "occlusion", parts, 1.0, 0.0)


def test_words_are_summed_over_rows_and_mistakes_are_grouped_by_their_reasons():
    found = [
        made(0, "good", ("Fine", 1.0), ("film", 0.5)),
        made(1, "good", ("fine", 3.0), ("film", -1.0)),
        made(2, "bad", ("dull", 2.0), ("film", 0.2), ("!", 9.0)),
        made(3, "bad", ("dull", 1.0), ("plot", 0.5), ("long", 0.4), ("film", 0.1)),
    ]
    by_class = pushes("label", found)
    assert [(each.word, each.rows, each.mean) for each in by_class["good"]] == [("fine", 2, 2.0)]
    assert [each.word for each in by_class["bad"]] == ["!", "dull", "plot", "long", "film"]
    groups = shared("label", found, {0: "good", 1: "bad", 2: "good", 3: "good"})
    assert [(each.word, each.mistakes, each.rows) for each in groups] == [("dull", (2, 3), 2)]
    assert shared("number", found, {}) == ()
    assert set(pushes("number", [replace(each, value=1.0) for each in found])) == {"higher", "lower"}
    assert pushes("text", found) == {}


def test_an_overview_shows_mistakes_first_and_uses_the_method_that_measured_best(linear):
    model, inputs = linear("classification")
    rows = Rows(tuple("123456"), inputs, ("good", "good", "good", "bad", "bad", "good"))
    measured = faithfulness.measure(model, inputs, methods=["occlusion"])
    found = overview(model, rows, measured=measured)
    assert found.method == "occlusion"
    assert [each.wrong for each in found.examples] == [True, False, False, False, False, False]
    assert found.examples[0].target == "good"
    assert set(found.pushes) == {"good", "bad"}
    assert overview(model, replace(rows, targets=()), most_rows=2).rows == 2
