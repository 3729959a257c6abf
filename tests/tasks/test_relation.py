"""Relations of two marked entities: what is read and refused, which tokens a head reads, and what is saved."""

import dataclasses

import numpy as np
import pytest
import torch
import transformers
from tests.contracts.test_checkpoints import tiny

from headstart import tasks
from headstart.activations import forward
from headstart.checkpoints import folder, manifest
from headstart.contenders import _heads, _teaching
from headstart.core import rooms
from headstart.core.errors import DataError, UsageError
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows, Run
from headstart.core.tabular import Tabular
from headstart.nn.entities import EntityPairHead
from headstart.nn.packed import pack
from headstart.saved import model_folder
from headstart.tasks.relation import Relation
from headstart.text import marked, vocabulary

INPUTS, TARGETS = zip(*Relation.SAMPLE, strict=True)
ROWS = Rows(tuple(map(str, range(len(INPUTS)))), INPUTS, TARGETS)


@pytest.mark.parametrize(
    "cells",
    [
        {"text": "<e2>Smoke</e2> from a <e1>fire</e1>."},
        {"text": "Smoke from a fire.", "e1": [13, 17], "e2": "[0, 5]"},
    ],
)
def test_entities_are_marked_by_tags_or_spans(cells):
    task = tasks.load("relation")
    assert task.read({**cells, "label": "x"}) == ("<e2>Smoke</e2> from a <e1>fire</e1>.", "x")
    assert task.texts(task.read(cells)[0]) == ("# Smoke # from a $ fire $.",)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"text": "<e1>Smoke</e1> from a fire."}, "does not mark one entity with <e1>"),
        ({"text": "<e1>a</e1> <e1>b</e1> <e2>c</e2>"}, "does not mark one entity with <e1>"),
        ({"text": "<e1>a <e2>b</e2> c</e1>"}, "does not mark one entity with <e1>"),
        ({"text": "<e1>a</e1> b</e1> <e2>c</e2>"}, "does not mark one entity with <e1>"),
        ({"text": "<e1> </e1> from <e2>fire</e2>"}, "has an entity without text"),
        ({"text": "a  c", "e1": [0, 1], "e2": [1, 3]}, "has an entity without text"),
        ({"text": "abc", "e1": [0, 2], "e2": [1, 3]}, "has two entities that overlap"),
        ({"text": "abc", "e1": [0, 2], "e2": [2, 4]}, r"has a span of e2 \(2 to 4\) outside its text of 3 characters"),
        ({"text": "abc", "e1": [0], "e2": [1, 3]}, "has a span of e1 that is not a start and an end"),
        ({"text": "<e1>a</e1> c", "e1": [0, 1], "e2": [1, 3]}, "has tags of entities in its text and their spans"),
    ],
)
def test_rows_without_two_entities_are_refused(cells, reason):
    with pytest.raises(DataError, match=reason):
        tasks.load("relation").read(cells)


def test_words_are_removed_and_marks_stay():
    task, value = Relation(), "A <e2>black smoke</e2> came from <e1>fire</e1>."
    (text,) = task.texts(value)
    words = [(place, place + len(word)) for word in ("#", "black", "from", "fire", ".") for place in [text.index(word)]]
    assert task.without(value, [words]) == "A <e2>smoke</e2> came <e1></e1>"
    assert task.texts(task.without(value, [words])) == ("A # smoke # came $  $",)
    assert task.without(value, [[]]) == value


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train([" ".join(Relation().texts(text)) for text in INPUTS], 150, window=32)


def tokens(tokenizer, encoded, number=0):
    ids = encoded.tokens[encoded.boundaries[number] : encoded.boundaries[number + 1]].tolist()
    return [tokenizer.backend.id_to_token(id_) for id_ in ids]


def test_the_marks_are_where_the_entities_open_and_no_other_dollar(tokenizer):
    texts = ["The <e2>car</e2> $ of # the <e1>house</e1>", "<e1>fire</e1><e2>smoke</e2>"]
    encoded = Relation().encode(texts, tokenizer)
    for number, wanted in enumerate([("house", "car"), ("fire", "smoke")]):
        read = tokens(tokenizer, encoded, number)
        for place, mark, entity in zip(encoded.marks[number], "$#", wanted, strict=True):
            assert read[place] == mark
            assert "".join(token.removeprefix("##") for token in read[place + 1 :]).startswith(entity)
    assert encoded.until(1).marks.tolist() == encoded.marks[:1].tolist()
    assert encoded.since(1).marks.tolist() == encoded.marks[1:].tolist()
    assert Relation().encode([], tokenizer).marks.shape == (0, 0)


def test_the_tokens_are_those_of_the_text_with_marks(tokenizer):
    encoded, plain = (
        Relation().encode(INPUTS, tokenizer),
        tokenizer.encode([Relation().texts(text)[0] for text in INPUTS]),
    )
    assert encoded.tokens.tolist() == plain.tokens.tolist()
    assert encoded.cut_off == plain.cut_off == 0


@pytest.mark.parametrize("before", [0, 1, 9, 200])
@pytest.mark.parametrize("between", [0, 3, 9, 200])
@pytest.mark.parametrize("after", [0, 9, 200])
def test_a_long_text_is_read_around_its_marks(before, between, after, tokenizer):
    text = f"{'the ' * before}<e1>car</e1>{' of' * between} <e2>house</e2>{' roof' * after}"
    encoded = Relation().encode([text], tokenizer)
    read = tokens(tokenizer, encoded)
    assert len(read) <= tokenizer.window
    assert [read[place] for place in encoded.marks[0]] == ["$", "#"]
    assert (encoded.cut_off > 0) == (len(tokenizer.encode_whole(Relation().texts(text)).tokens) > tokenizer.window - 2)


@pytest.mark.parametrize("room", [2, 3, 6, 7])
def test_any_two_places_are_read_once(room):
    for count in range(1, 16):
        for first in range(count):
            for last in range(first, count):
                spans = marked.pieces(count, [last, first], room)
                read = [number for start, end in spans for number in range(start, end)]
                assert len(read) == min(count, room)
                assert read == sorted(set(read))
                assert {first, last} <= set(read) <= set(range(count))


def test_inputs_without_tags_and_other_ways_of_long_texts_are_refused(tokenizer):
    with pytest.raises(DataError, match=r"the text 'It rains\.' does not mark one entity with <e1>"):
        Relation().encode(["It rains."], tokenizer)
    with pytest.raises(UsageError, match="read around their marks; leave 'long' at 'first'"):
        Relation().encode(INPUTS, tokenizer.reading(LongTexts("mean")))


def test_a_batch_without_marks_is_refused():
    batch = pack(np.array([1, 2]), np.array([0, 2]), np.array([0]))
    with pytest.raises(ValueError, match="was given texts without marks"):
        EntityPairHead(4, 2).places(batch)


@pytest.mark.parametrize("strategy", rooms.names("strategies"))
def test_every_strategy_learns_it_and_answers_the_same_from_its_folder(strategy, backbone, tmp_path):
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "strategy": strategy, "epochs": 1})
    task = Relation().fitted(ROWS)
    fitted = contender.fit(ROWS, ROWS, task, Run(0, tmp_path / "work", metric="accuracy"))
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    probabilities = fitted.predict(INPUTS).probabilities
    assert np.ptp(probabilities[:, 0]) > 1e-4
    np.testing.assert_allclose(again.predict(INPUTS).probabilities, probabilities, atol=1e-6)
    alone = [fitted.predict([text]).probabilities[0] for text in INPUTS]
    np.testing.assert_allclose(alone, probabilities, atol=1e-4)
    np.testing.assert_allclose(fitted.with_int8().predict(INPUTS).probabilities, probabilities, atol=0.05)


@pytest.fixture(scope="module")
def fitted(backbone, tmp_path_factory):
    place = tmp_path_factory.mktemp("relation")
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "epochs": 1})
    return contender.fit(ROWS, ROWS, Relation().fitted(ROWS), Run(0, place, metric="accuracy"))


def test_the_head_reads_the_states_of_both_marks(fitted):
    encoded = fitted.task.encode(INPUTS, fitted.checkpoint.tokenizer)
    model = fitted.model.eval()
    logits = forward.outputs(model, encoded, "cpu").values
    for number in range(len(INPUTS)):
        batch = pack(encoded.tokens, encoded.boundaries, np.array([number]))
        with torch.no_grad():
            states = model.encoder(batch)  # (tokens, width)
            expected = model.head.output(torch.cat([states[place] for place in encoded.marks[number]]))
        np.testing.assert_allclose(logits[number], expected, atol=1e-5)


def test_a_teacher_gives_the_same_outputs_from_its_stored_states(fitted, tmp_path):
    encoded = fitted.task.encode(INPUTS, fitted.checkpoint.tokenizer)
    stored, _ = _teaching.keep(fitted.model, (1,), encoded, Run(0, tmp_path, metric="accuracy"))
    outputs = _teaching.text_outputs(fitted, INPUTS, fitted.task, stored, encoded, "cpu")
    assert stored.by_token
    np.testing.assert_allclose(outputs.values, np.log(fitted.predict(INPUTS).probabilities), atol=1e-2)


def test_transformers_opens_the_encoder_and_refuses_the_head(fitted, tmp_path):
    fitted.save(tmp_path / "saved")
    encoder = transformers.AutoModel.from_pretrained(tmp_path / "saved").eval()
    encoded = fitted.task.encode(INPUTS[:1], fitted.checkpoint.tokenizer)
    with torch.no_grad():
        theirs = encoder(torch.from_numpy(encoded.tokens.astype(np.int64))[None]).last_hidden_state[0]
        logits = fitted.model.head.output(theirs[encoded.marks[0]].flatten())
    np.testing.assert_allclose(logits, forward.outputs(fitted.model, encoded, "cpu").values[0], atol=1e-5)
    with pytest.raises(RuntimeError, match="mismatch"):
        transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    note = (tmp_path / "saved" / manifest.CARD).read_text("utf-8")
    assert note.startswith("# Marked entities\n")
    assert folder.load(tmp_path / "saved").head == fitted.task.head()


def test_the_note_says_that_columns_are_read_too(fitted, tmp_path):
    task = dataclasses.replace(fitted.task, tabular=dataclasses.replace(Tabular.of(["price"]), way="words"))
    _heads.save(tmp_path, fitted.model.head, task)
    note = (tmp_path / manifest.CARD).read_text("utf-8")
    assert "# Marked entities\n" in note
    assert "\n# Columns beside the text\n" in note


@pytest.mark.parametrize("family", rooms.names("checkpoints.families"))
def test_every_family_has_the_head(family, tokenizer, tmp_path):
    kind, plan = rooms.load("checkpoints.families", family), Relation(classes=("a", "b", "c")).head()
    arguments = tiny(kind)
    model = folder.Model(kind.encoder(arguments), kind.head(arguments, plan, 0.1))
    folder.save(tmp_path, model, tokenizer, family, arguments, plan)
    again = folder.load(tmp_path)
    assert again.head == plan
    assert (again.fresh, again.ignored) == ((), ())
    for name, weight in again.model.named_parameters():
        assert torch.equal(weight, model.get_parameter(name)), name
