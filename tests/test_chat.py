"""Conversations in the terminal: each line gets an answer, until the input ends."""

import io
import sys

import pytest
import torch

from headstart import chatting, cli
from headstart.checkpoints import generating
from headstart.contenders import _causal, _unigram
from headstart.contenders._generative import Generative
from headstart.contenders.majority import FittedMajority
from headstart.core.records import Rows
from headstart.tasks.classification import Classification
from headstart.tasks.generation import Generation
from headstart.text import turns

TASK = Generation()


@pytest.fixture(scope="module")
def model(decoder_backbone, tmp_path_factory):
    """The folder of a model of the task generation, and the model."""
    folder = tmp_path_factory.mktemp("chat") / "model"
    opened = _causal.checkpoint(decoder_backbone)
    fitted = Generative("decoder", TASK, opened, 0)
    fitted.save(folder)
    return str(folder), fitted


@pytest.fixture
def chat(monkeypatch, capsys):
    def run(model, lines, *options):
        monkeypatch.setattr(sys, "stdin", lines if hasattr(lines, "readline") else io.StringIO(lines))
        code = cli.run(["chat", model, *options])
        return code, *capsys.readouterr()

    return run


def test_each_line_gets_the_answer_to_all_turns_before_it(model, chat, monkeypatch):
    folder, fitted = model
    asked = []
    monkeypatch.setattr(
        turns, "encode", lambda tokenizer, rows, own=turns.encode: asked.append(list(rows[0])) or own(tokenizer, rows)
    )
    code, out, err = chat(folder, "Hello?\n\nWho are you?\n", "--temperature", "0", "--most", "6")
    answers = out.split("\n")
    assert (code, err, len(answers)) == (0, "", 3)
    assert asked[0] == [("user", "Hello?")]
    assert asked[1] == [("user", "Hello?"), ("assistant", answers[0]), ("user", "Who are you?")]
    greedy = chatting.replace(fitted.checkpoint.search, most=6)
    pieces = chatting.answer(fitted.checkpoint, asked[0], greedy, torch.Generator())
    assert "".join(pieces) == answers[0]


def test_the_seed_decides_what_is_drawn(model, chat):
    drawn = [chat(model[0], "Hello?\n", "--temperature", "3", "--seed", seed, "--most", "9")[1] for seed in "112"]
    assert drawn[0] == drawn[1] != drawn[2]


def test_an_interrupt_ends_it(model, chat):
    class Interrupted(io.StringIO):
        def readline(self, *rest):
            raise KeyboardInterrupt

    assert chat(model[0], Interrupted()) == (0, "\n", "")


def test_a_person_sees_a_prompt(model, chat):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert chat(model[0], Terminal("")) == (0, "", "> ")


def test_an_unfinished_character_is_not_shown(model, monkeypatch):
    _, fitted = model
    ids = fitted.checkpoint.tokenizer.encode_whole(["ä!"]).tokens.tolist()
    monkeypatch.setattr(chatting, "stream", lambda *rest: iter(ids))
    pieces = list(chatting.answer(fitted.checkpoint, [("user", "?")], fitted.checkpoint.search, torch.Generator()))
    assert "".join(pieces) == "ä!"
    assert "\ufffd" not in "".join(pieces)


def test_models_that_do_not_converse_are_refused(model, chat, backbone, decoder_backbone, tmp_path):
    rows = Rows(("1",), TASK.SAMPLE[0][:1], TASK.SAMPLE[0][1:])
    _unigram.fit(rows, TASK).save(tmp_path / "floor")
    FittedMajority(Classification(("a", "b")), (0.5, 0.5)).save(tmp_path / "labels")
    for source, message in (
        (str(tmp_path / "floor"), "gives every conversation the same answer; name a model that writes"),
        (str(tmp_path / "labels"), "was trained for the task 'classification', and conversations need a model of the"),
        (backbone, "does not converse; name a model of the task generation"),
        (decoder_backbone, "does not converse; name a model of the task generation"),
        ("no-such-folder", "no model folder 'no-such-folder'"),
    ):
        code, out, err = chat(source, "")
        assert (code, out) == (2, "")
        assert message in err


def test_a_decoder_with_the_tokens_of_chatml_converses(decoder_backbone, tmp_path):
    opened = generating.load(decoder_backbone)
    opened.tokenizer.backend.add_special_tokens([turns.BEGIN, turns.END])
    words = opened.model.decoder.embeddings.word
    words.weight = torch.nn.Parameter(torch.cat([words.weight, words.weight[:2]]))
    opened.arguments["vocabulary"] += 2
    generating.save(tmp_path, opened)
    assert turns.is_chat(chatting.open_model(str(tmp_path)).tokenizer)
