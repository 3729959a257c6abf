"""Substitutes of words by a pretrained model with a head for masked words."""

from random import Random

import pytest
import torch

from headstart import stress, tasks
from headstart.checkpoints import folder
from headstart.contest import stress as contest
from headstart.core.records import Rows
from headstart.nn.encoder import Encoder
from headstart.nn.pretraining import Pretraining, PretrainingHead
from headstart.stress import _masked, applied
from headstart.stress.substitutes import Substitutes
from headstart.text import vocabulary

TEXT = "Every wonderful film has one wonderful actor and not one other reason to watch it again tonight"


@pytest.fixture(scope="module")
def expecting(tmp_path_factory):
    """The folder of a random model that expects 'reason' wherever a word is masked, and then 'tonight'."""
    place = tmp_path_factory.mktemp("masked")
    tokenizer = vocabulary.train([TEXT] * 20, 120, window=16)
    arguments = {"vocabulary": tokenizer.size, "width": 8, "layers": 1, "heads": 2, "feed_forward": 8, "window": 16}
    torch.manual_seed(0)
    encoder = Encoder(**arguments, dropout=0.0)
    head = PretrainingHead(8, tokenizer.size)
    with torch.no_grad():
        for word, bias in (("reason", 100.0), ("tonight", 90.0), ("[MASK]", 200.0)):
            head.words.bias[tokenizer.backend.token_to_id(word)] = bias
    folder.save(place, Pretraining(encoder, head), tokenizer, "bert", {**arguments, "dropout": 0.0}, None)
    return str(place)


def test_words_are_replaced_by_what_the_model_expects(expecting):
    substitutes = Substitutes(expecting)
    replaced = set()
    for number in range(40):
        edits = substitutes.edits(TEXT, Random(number))
        for edit in edits:
            word = TEXT[edit.start : edit.end]
            assert len(word) >= 4
            assert edit.text.lower() == ("tonight" if word == "reason" else "reason")
            assert edit.text[0].isupper() == word[0].isupper()
            replaced.add(word)
        applied(TEXT, edits)
    assert {"Every", "wonderful", "reason"} <= replaced
    assert substitutes.edits(TEXT, Random(1)) == substitutes.edits(TEXT, Random(1))


def test_words_beyond_the_window_stay(expecting):
    model = _masked.load(expecting)
    text = "one " * 40 + "reason"
    assert model.best(text, [(0, 3), (len(text) - 6, len(text))]) == ["reason", ""]


def test_a_model_without_the_head_is_left_out_and_named(expecting, backbone):
    rows = Rows(("1", "2"), (TEXT, "no"), ("a", "b"))
    task = tasks.load("classification")

    def reason(*backbones):
        return contest.prepare(rows, task, names=["substitutes"], backbones=backbones).left_out.get("substitutes")

    assert reason() == "no model with a head for masked words is named"
    assert reason(backbone) == f"'{backbone}' has no head for masked words"
    assert reason("/nowhere") == "'/nowhere' has no head for masked words"
    assert reason(backbone, expecting) is None
    assert stress.load_all(["case"], expecting) == stress.load("case")
