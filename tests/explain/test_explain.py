"""Attributions: they sum to the score, are those of captum, and point at the right words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit

from headstart import explain
from headstart.checkpoints import folder
from headstart.contenders import _crf, _long
from headstart.contenders import linear as module
from headstart.contenders.linear import Linear
from headstart.contenders.majority import Majority
from headstart.core.errors import DataError, UsageError
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows, Run
from headstart.explain import integrated_gradients
from headstart.tasks.classification import Classification
from headstart.tasks.ner import Ner

TASKS = ["classification", "multilabel", "regression", "pairs", "ner", "event", "qa"]


@pytest.mark.parametrize("name", TASKS)
def test_integrated_gradients_sum_to_the_difference_from_the_baseline(name, transformer):
    model, inputs = transformer(name)
    explanations = explain.explain(model, inputs)
    assert {each.method for each in explanations} == {"integrated-gradients"}
    assert len(explanations) >= len(inputs) - 2
    for each in explanations:
        total = sum(word.attribution for word in each.words)
        assert each.base + total == pytest.approx(each.score, rel=1e-2, abs=1e-2)
        assert abs(total) > 1e-3


@pytest.mark.parametrize("name", TASKS)
def test_every_word_is_where_it_says_and_occlusion_removes_just_that(name, transformer):
    model, inputs = transformer(name)
    for each in explain.explain(model, inputs, method="occlusion"):
        assert all(each.texts[word.source][word.start : word.end] == word.text for word in each.words)
        assert all(word.attribution == 0 for word in each.words if word.answer)
        places = [[(word.start, word.end) for word in each.words if word.source == n] for n in range(len(each.texts))]
        assert "".join(model.task.texts(model.task.without(inputs[each.row], places))).strip() == ""


@pytest.mark.parametrize(("name", "windows"), [("first", False), ("head-tail", False), ("mean", True)])
def test_texts_beyond_the_window_are_explained_where_they_are_read(name, windows, transformer):
    model, _ = transformer("classification", window=12, pooling="mean")
    model = replace(model, checkpoint=_long.reading(model.checkpoint, LongTexts(name, 20)))
    words = ["the", "battery", "lasts", "two", "days", "and", "charges", "fast", "very", "happy"] * 3
    (found,) = explain.explain(model, [" ".join(words)])
    read = [place for place, word in enumerate(found.words) if word.attribution]
    assert found.base + sum(word.attribution for word in found.words) == pytest.approx(found.score, abs=1e-2)
    assert (len(read) == len(words)) == windows
    assert (read[-1] == len(words) - 1) == (name != "first")
    # A word that is not read changes nothing when it is removed; one that is read does.
    logits = model.predict([" ".join(words)]).probabilities
    swapped = [*words[:-1], "useless"]
    assert np.array_equal(model.predict([" ".join(swapped)]).probabilities, logits) == (name == "first")


def test_a_prefix_is_not_part_of_the_text(transformer):
    model, _ = transformer("classification")
    tokenizer = model.checkpoint.tokenizer
    tokenizer.prefix = "two days "
    try:
        (found,) = explain.explain(model, ["very loud"])
    finally:
        tokenizer.prefix = ""
    assert [word.text for word in found.words] == ["very", "loud"]
    assert found.base + sum(word.attribution for word in found.words) == pytest.approx(found.score, abs=1e-2)
    assert all(word.attribution for word in found.words)


def test_the_attributions_are_captum_s(transformer, tmp_path):
    from captum.attr import LayerIntegratedGradients
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    ours, inputs = transformer("classification")
    part = ours.checkpoint
    folder.save(tmp_path, part.model, part.tokenizer, part.family, part.arguments, ours.task.head())
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path, attn_implementation="eager").eval()
    fast = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*inputs, "Loud and useless.", "The battery broke.", "very very happy", "Money back, from day one!"]
    assert len(texts) == 10

    def margin(ids, number):
        logits = theirs(input_ids=ids).logits
        return logits[:, number] - logits[:, 1 - number]

    layer = LayerIntegratedGradients(margin, theirs.bert.embeddings)
    for text, found in zip(texts, explain.explain(ours, texts), strict=True):
        encoded = fast(text, return_tensors="pt", return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"][0].tolist()
        baseline = torch.full_like(ids, fast.mask_token_id)
        baseline[:, 0], baseline[:, -1] = ids[:, 0], ids[:, -1]
        given = layer.attribute(
            ids, baseline, additional_forward_args=ours.task.classes.index(found.value), n_steps=108,
            method="gausslegendre",
        )  # fmt: skip
        by_token = given[0].sum(dim=-1).tolist()
        for word in found.words:
            pieces = [
                value for value, (start, end) in zip(by_token, offsets, strict=True) if word.start <= start < word.end
            ]
            assert word.attribution == pytest.approx(sum(pieces), rel=1e-3, abs=1e-3), (text, word)


@pytest.mark.parametrize("name", ["classification", "multilabel", "regression", "pairs", "relation", "pair-regression"])
def test_contributions_of_a_linear_model_are_exact(name, linear):
    model, inputs = linear(name)
    inputs = [*inputs, *inputs[:1]]
    exact, occluded = (explain.explain(model, inputs, method=method) for method in ("contributions", "occlusion"))
    for each, other in zip(exact, occluded, strict=True):
        assert each.score == pytest.approx(other.score, rel=1e-4, abs=1e-4)
        assert each.base + sum(word.attribution for word in each.words) == pytest.approx(each.score)
        assert any(word.attribution for word in each.words)


@pytest.mark.parametrize("name", ["ner", "event"])
def test_contributions_to_a_fact_are_the_weights_of_its_words_features(name, linear):
    model, inputs = linear(name)
    explanations = explain.explain(model, inputs)
    assert {each.method for each in explanations} == {"contributions"}
    tags = model.task.head().labels
    numbers = {feature: number for number, feature in enumerate(model.features)}
    for each in explanations:
        assert each.base + sum(word.attribution for word in each.words) == pytest.approx(each.score)
        assert any(word.attribution for word in each.words if not word.answer)
        by_word = list(_crf._by_word([word.text for word in each.words], np.array([0, len(each.words)])))
        states = _crf._matrix(iter(by_word), numbers) @ model.weights  # (words, tags)
        inside = [number for number, word in enumerate(each.words) if word.answer]
        kind, _, role = each.value[-1].partition(":")
        kind = kind if name == "ner" else f"role:{role}" if role else f"trigger:{kind}"
        expected = 0.0
        for place, number in enumerate(inside):
            tag = tags.index(f"{'I' if place else 'B'}-{kind}")
            expected += states[number, tag] - np.delete(states[number], tag).mean()
        assert each.score == pytest.approx(expected, rel=1e-5)


def test_a_feature_of_two_words_is_divided_between_them(linear):
    model, _ = linear("ner")
    only = np.zeros_like(model.weights)
    only[0, model.task.head().labels.index("B-person")] = 3.0
    features = ("+0+1=anna left", *model.features[1:])
    model = replace(model, features=features, weights=only, moves=np.zeros_like(model.moves))
    (found,) = explain.explain(model, ["yes Anna left"])
    assert [word.attribution for word in found.words] == pytest.approx([0.0, 1.5, 1.5])
    assert (found.base, found.score) == pytest.approx((0.0, 3.0))


@pytest.mark.parametrize("presence", [False, True])
def test_contributions_of_several_classes_are_exact(presence, tmp_path, monkeypatch):
    texts = ["red  apple\n\nİ", "blue sea", "green tree", "red rose", "blue sky", "green leaf"] * 2
    rows = Rows(tuple(map(str, range(12))), tuple(texts), ("r", "b", "g") * 4)
    task = Classification().fitted(rows)
    candidates = []
    fit = module.CANDIDATES["single_label_classification"]

    def noted(*arguments):
        for model in fit[0](*arguments):
            candidates.append(model)
            yield model

    monkeypatch.setattr(module, "CANDIDATES", {"single_label_classification": (noted, fit[1])})
    Linear().fit(rows, rows, task, Run(0, tmp_path))
    model = next(each for each in candidates if each.presence == presence)
    assert model.weights.shape[1] == 3
    for each in explain.explain(model, texts[:6]):
        assert each.base + sum(word.attribution for word in each.words) == pytest.approx(each.score)
        number = task.classes.index(each.name)
        if presence:
            against_rest = np.array([explain.explain(model, [each.texts[0]], name=name)[0].score for name in "bgr"])
            shares = expit(against_rest) / expit(against_rest).sum()
            assert shares[number] == pytest.approx(each.confidence, rel=1e-4)
        else:
            (other,) = explain.explain(model, [each.texts[0]], method="occlusion")
            assert each.score == pytest.approx(other.score, rel=1e-4)


def test_the_words_that_a_model_learnt_are_the_ones_it_names(linear):
    model, _ = linear("classification")
    (found,) = explain.explain(model, ["It is useless, and I sent it back."])
    assert found.name == "bad"
    assert found.top[0].text in ("useless", "back", "sent", "It", "it")
    (other,) = explain.explain(model, ["It is useless, and I sent it back."], name="good")
    assert [word.attribution for word in other.words] == pytest.approx([-word.attribution for word in found.words])
    assert other.confidence == pytest.approx(1 - found.confidence)


def test_an_entity_of_a_list_of_words_is_explained(transformer):
    model, _ = transformer("ner")
    words = ("Babbage", "left", "London", ",", "don't", "ask")
    explanations = explain.explain(model, [words])
    assert explanations
    for each in explanations:
        assert [word.text for word in each.words] == list(words)
        assert any(word.answer for word in each.words)


@pytest.mark.parametrize("name", ["classification", "pairs", "ner", "qa", "relation"])
def test_attention_is_between_the_tokens_that_are_read(name, transformer):
    model, inputs = transformer(name)
    found = model.attention(inputs[0], 512)
    layers, heads, *shape = found.weights.shape
    assert (layers, heads, shape, found.left_out) == (2, 2, [len(found.tokens)] * 2, 0)
    assert np.allclose(found.weights.sum(axis=-1), 1, atol=1e-5)
    assert found.tokens[0] == "[CLS]"
    assert found.tokens[-1] == "[SEP]"
    texts = model.task.texts(inputs[0])
    bare = {token for token in found.tokens if not token.startswith("[")}
    assert all(any(token in text for text in texts) for token in bare)
    part = model.attention(inputs[0], 3)
    assert (part.tokens, part.left_out) == (found.tokens[:3], len(found.tokens) - 3)
    assert np.array_equal(part.weights, found.weights[:, :, :3, :3])


def test_chinese_is_explained_by_character(transformer):
    model, _ = transformer("classification")
    (found,) = explain.explain(model, ["电池 good 很好。"])
    assert [word.text for word in found.words] == ["电", "池", "good", "很", "好", "。"]


def test_integrated_gradients_take_more_steps_where_few_are_not_enough(transformer, monkeypatch):
    model, inputs = transformer("classification")
    asked = []
    gradients = type(model).gradients

    def counted(self, inputs, aims, steps):
        asked.append((len(steps.positions), len(aims)))
        return gradients(self, inputs, aims, steps)

    monkeypatch.setattr(type(model), "gradients", counted)
    monkeypatch.setattr(integrated_gradients, "STEPS", (1, 64))
    explain.explain(model, inputs)
    assert [count for count, _ in asked] == [1, 64]
    assert asked[0][1] == len(inputs)


def test_what_cannot_be_explained_is_said(linear, transformer):
    model, inputs = linear("classification")
    with pytest.raises(UsageError, match="no method 'oclusion'; did you mean 'occlusion'"):
        explain.explain(model, inputs, method="oclusion")
    with pytest.raises(
        UsageError, match="'integrated-gradients' is not one of this model's; it has contributions, occ"
    ):
        explain.explain(model, inputs, method="integrated-gradients")
    with pytest.raises(UsageError, match="no class 'goood'; did you mean 'good'"):
        explain.explain(model, inputs, name="goood")
    with pytest.raises(UsageError, match="the model has no classes, so none is called 'good'"):
        explain.explain(linear("regression")[0], inputs, name="good")
    for text in ("", " \n"):
        with pytest.raises(DataError, match="has no words to explain; give one with words"):
            explain.explain(model, [inputs[0], text])


def test_a_text_without_facts_has_no_explanation(tmp_path):
    rows = Rows(("1",), ("Anna left",), (((0, 4, "PER"),),))
    model = Majority().fit(rows, rows, Ner().fitted(rows), Run(0, tmp_path, metric="F1"))
    assert explain.explain(model, ["Anna left"]) == ()
