"""Entities: what a row may look like, encoding in windows, decoding, and scores equal to seqeval's."""

import re

import numpy as np
import pytest
import seqeval.metrics

from headstart.core.contracts import metric_values
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import IGNORED, Ragged
from headstart.data.read import read
from headstart.tasks import guess
from headstart.tasks._words import divided, word_tokens
from headstart.tasks.ner import Ner
from headstart.text import tags, vocabulary

WORDS = ("Anna", "Li", "lives", "in", "北", "京", ".")
TEXT = "Anna Li lives in 北京 ."
ENTITIES = ((0, 7, "PER"), (17, 19, "LOC"))


def test_tags_of_words_are_entities_of_the_joined_text():
    cells = {"text": [*WORDS], "entities": ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"]}
    assert Ner().read(cells) == (WORDS, ENTITIES)
    assert Ner().texts(WORDS) == (TEXT,)


@pytest.mark.parametrize(
    "entities",
    [
        [{"start": 0, "end": 7, "label": "PER"}, {"start": 17, "end": 19, "label": "LOC"}],
        [[17, 19, "LOC"], [0, 7, "PER"], [0, 7, "PER"]],
        [{"start_offset": 0, "end_offset": 8, "type": "PER"}, {"begin": 16, "stop": 19, "entity": "LOC"}],
        '[[0, 7, "PER"], [17, 19, "LOC"]]',
    ],
)
def test_spans_are_read_in_order_once_and_without_white_space(entities):
    assert Ner().read({"text": TEXT, "entities": entities}) == (TEXT, ENTITIES)


def test_lists_in_text_cells_are_read_and_texts_in_brackets_are_texts():
    cells = {"text": "['Anna', 'runs']", "entities": "['B-PER', 'O']"}
    assert Ner().read(cells) == (("Anna", "runs"), ((0, 4, "PER"),))
    assert Ner().read({"text": "[sic] Anna", "entities": []}) == ("[sic] Anna", ())


@pytest.mark.parametrize(
    ("text", "entities", "reason"),
    [
        (TEXT, [[0, 99, "PER"]], "has an entity from 0 to 99 in a text of 21 characters"),
        (TEXT, [[5, 5, "PER"]], "has an entity from 5 to 5 in a text of 21 characters"),
        (TEXT, [[4, 5, "PER"]], "has an entity from 4 to 5, where there is only white space"),
        (TEXT, [[0, 7, "PER"], [5, 9, "LOC"]], "has entities that overlap: 0 to 7 ('PER') and 5 to 9 ('LOC')"),
        (TEXT, [[0, 7, "PER"], [0, 4, "PER"]], "has entities that overlap: 0 to 4 ('PER') and 0 to 7 ('PER')"),
        (TEXT, [{"start": 0, "label": "PER"}], "has an entity without start, end and label"),
        (TEXT, [5], "has an entity without start, end and label"),
        (TEXT, ["B-PER"], "has tags beside a text that is not divided into words: name the column of the words"),
        (["Anna"], [[0, 4, "PER"]], "has places in a text beside a list of words: give the text, or a tag"),
        (["Anna"], ["O", "O"], "has 2 tags for 1 words"),
        (["Anna"], [0], "has numbers where tags are expected: write their names, such as B-PER"),
        (["Anna", ""], ["O", "O"], "has an empty word"),
        (["Anna"], ["Q-PER"], "has the tag 'Q-PER', which is none of the schemes"),
        ("", [], "has no text"),
        (TEXT, None, "has no entities"),
    ],
)
def test_what_cannot_be_used_is_said(text, entities, reason):
    with pytest.raises(DataError, match=f"^{re.escape(reason)}"):
        Ner().read({"text": text, "entities": entities})


def test_rows_that_cannot_be_used_are_listed():
    table = read((["Anna runs", "Rome", "Rome"], [[[0, 4, "PER"]], [[0, 9, "LOC"]], []]), Ner())
    assert table.rows.targets == (((0, 4, "PER"),), ())
    assert [(row.line, row.reason) for row in table.rejected] == [
        (2, "has an entity from 0 to 9 in a text of 4 characters")
    ]


def test_a_scheme_that_no_row_follows_is_one_error():
    with pytest.raises(DataError, match=r"all 2 were rejected, the first, on line 1, because it has the tag 'NOUN'"):
        read(([["Anna"], ["runs"]], [["NOUN"], ["VERB"]]), Ner())


@pytest.mark.parametrize("columns", [("tokens", "tags"), ("id", "words", "ner_tags"), ("text", "entities")])
def test_columns_of_entities_are_recognised(columns):
    from headstart.data.read import Look

    assert guess(lambda: Look(columns)) == "ner"


def rows_of(texts, targets):
    return Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(targets))


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train([TEXT, "unbelievable cities"], 60, window=10)


def test_the_label_is_on_the_first_token_of_each_word(tokenizer):
    task = Ner(classes=("LOC", "PER"))
    rows = rows_of([("Anna", "Li", "runs")], [((0, 7, "PER"),)])
    encoded = task.encode(rows.inputs, tokenizer)
    values = task.targets(rows, encoded).values
    firsts = [int(np.flatnonzero(encoded.words == word)[0]) for word in range(3)]
    assert values[firsts].tolist() == [3, 4, 0]
    assert (np.delete(values, firsts) == IGNORED).all()


def test_each_word_is_read_where_it_has_the_most_context(tokenizer):
    words = tuple(f"w{number}" for number in range(40))
    encoded = tokenizer.encode_words([words, ("Anna",)])
    assert len(encoded) == 2
    assert encoded.sequence_lengths.max() <= 10
    places, ends = word_tokens(encoded, [40, 1])
    assert ends.tolist() == [0, 40, 41]
    assert encoded.words[places].tolist() == [*range(40), 0]
    for number in range(40):
        options = []
        for first, last in zip(encoded.boundaries[:-2], encoded.boundaries[1:-1], strict=True):
            inside = [int(place) for place in np.flatnonzero(encoded.words == number) if first <= place < last]
            if inside:
                before = np.inf if first == 0 else inside[0] - first
                after = np.inf if last == encoded.boundaries[-2] else last - inside[0]
                options.append((min(before, after), inside[0]))
        assert max(options)[0] == next(context for context, place in options if place == places[number])


def test_long_rows_are_learnt_once_and_decoded_whole(tokenizer):
    words = tuple(f"w{number}" for number in range(40))
    spans = divided(words).spans
    truth = tuple((spans[n][0], spans[n + 1][1], "LOC") for n in range(0, 40, 4))
    task, rows = Ner(classes=("LOC", "PER")), rows_of([words, ("Anna",)], [truth, ()])
    encoded = task.encode(rows.inputs, tokenizer)
    targets = task.targets(rows, encoded)
    assert (targets.values != IGNORED).sum() == 41
    logits = 9.0 * np.eye(5, dtype=np.float32)[np.maximum(targets.values, 0)]
    assert task.decode(Ragged(logits, encoded.boundaries), encoded, rows.inputs).values == (truth, ())


def test_no_impossible_sequence_is_predicted(tokenizer):
    """I-PER scores best everywhere, but cannot come first or after O."""
    task = Ner(classes=("LOC", "PER"))
    encoded = task.encode([WORDS], tokenizer)
    logits = np.tile(np.array([0, -9, -9, -1, 3], dtype=np.float32), (len(encoded.tokens), 1))
    assert task.decode(Ragged(logits, encoded.boundaries), encoded, [WORDS]).values == (((0, len(TEXT), "PER"),),)
    logits[:, 3] = -50.0
    assert task.decode(Ragged(logits, encoded.boundaries), encoded, [WORDS]).values == ((),)


def test_the_confidence_is_that_of_all_entities_of_a_row(tokenizer):
    task = Ner(classes=("PER",))
    encoded = task.encode([("Anna", "Li")], tokenizer)
    logits = np.zeros((len(encoded.tokens), 3), dtype=np.float32)
    logits[:, 1] = np.log(2)  # B; the first word cannot be I, the second can
    predictions = task.decode(Ragged(logits, encoded.boundaries), encoded, [("Anna", "Li")])
    assert predictions.values == (((0, 4, "PER"), (5, 7, "PER")),)
    # O O, O B, B O, B B and B I have the weights 1, 2, 2, 4 and 2.
    np.testing.assert_allclose(predictions.confidence, [4 / 11])
    moves = np.zeros((3, 3), dtype=np.float32)
    moves[1, 2] = np.log(4)
    predictions = task.decode(Ragged(logits, encoded.boundaries, moves), encoded, [("Anna", "Li")])
    assert predictions.values == (((0, 7, "PER"),),)
    np.testing.assert_allclose(predictions.confidence, [8 / 17])


def test_a_word_without_tokens_is_outside(tokenizer):
    task, value = Ner(classes=("PER",)), ("Anna", "\u200b", "Li")
    encoded = task.encode([value], tokenizer)
    assert 1 not in encoded.words
    logits = np.tile(np.array([0, 1, 2], dtype=np.float32), (len(encoded.tokens), 1))
    (found,) = task.decode(Ragged(logits, encoded.boundaries), encoded, [value]).values
    assert found == ((0, 4, "PER"), (7, 9, "PER"))


def test_a_type_that_training_never_shows_is_not_learnt(tokenizer):
    task, rows = Ner(classes=("PER",)), rows_of([TEXT], [ENTITIES])
    encoded = task.encode(rows.inputs, tokenizer)
    assert sorted(task.targets(rows, encoded).values[task.targets(rows, encoded).values >= 0]) == [0, 0, 0, 1, 2]


def test_a_transformer_learns_entities(rng, tmp_path):
    from headstart.contenders.scratch import Scratch

    names, places = ("Anna", "Li", "Turing"), ("Rome", "London")
    pairs = [(str(rng.choice(names)), str(rng.choice(places))) for _ in range(40)]
    rows = rows_of(
        [f"{name} lives in {place}." for name, place in pairs],
        [((0, len(n), "PER"), (len(n) + 10, len(n) + 10 + len(p), "LOC")) for n, p in pairs],
    )
    shape = {"vocabulary": 120, "layers": 1, "width": 32, "heads": 2, "feed_forward": 32, "window": 32}
    contender = Scratch(**shape, epochs=4, learning_rate=3e-3)
    fitted = contender.fit(rows, rows, Ner().fitted(rows), Run(0, tmp_path / "work", metric="micro-F1"))
    assert fitted.predict(rows.inputs).values == rows.targets


def test_scores_are_those_of_seqeval(rng):
    names = tags.bio(("LOC", "ORG", "PER"))
    words = tuple(f"w{number}" for number in range(8))
    spans = divided(words).spans

    def entities(row):
        return tuple((spans[start][0], spans[end - 1][1], name) for start, end, name in tags.entities(row))

    truth, answers = (rng.choice(names, size=(30, 8), p=[0.4] + [0.1] * 6).tolist() for _ in range(2))
    rows = rows_of([words] * 30, map(entities, truth))
    ours = metric_values(Ner(), Predictions(tuple(map(entities, answers))), rows)
    assert ours["micro-F1"] == pytest.approx(seqeval.metrics.f1_score(truth, answers))
    assert ours["macro-F1"] == pytest.approx(seqeval.metrics.f1_score(truth, answers, average="macro"))
    assert ours["precision"] == pytest.approx(seqeval.metrics.precision_score(truth, answers))
    assert ours["recall"] == pytest.approx(seqeval.metrics.recall_score(truth, answers))
