"""Questions about a context: reading, windows against transformers, the choice of spans, and the threshold."""

import json

import numpy as np
import pytest
from transformers import BertTokenizerFast, RobertaTokenizerFast

from headstart.contenders.majority import Majority
from headstart.core import rooms
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import Ragged
from headstart.data.read import read
from headstart.saved import model_folder
from headstart.tasks.qa import KEPT, LONGEST, QuestionAnswering
from headstart.text import vocabulary, windows
from headstart.text.tokenizer import Tokenizer

CONTEXT = "Anna Berg built the bridge in 1887. The bridge fell in 1901, and Anna died."
WORDS = ["river", "bridge", "stone", "water", "tower", "garden", "winter", "summer"]


def target(answers, context=CONTEXT):
    return QuestionAnswering().read({"question": "Who?", "context": context, "answers": answers})[1]


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "1887", "start": 30}],
        [{"text": "1887", "answer_start": 30}, {"text": "1887", "answer_start": 30}],
        {"text": ["1887"], "answer_start": [30]},
        {"text": "1887", "start": 30},
        {"text": ["1887"]},
        [{"text": " 1887", "start": 29}],
        [{"text": "1887", "start": 7}],
        [{"text": "1887", "start": -46}],
        ["1887"],
        "1887",
        " 1887 ",
        '["1887"]',
        "[{'text': '1887', 'start': 30}]",
        '{"text": ["1887"], "answer_start": [30]}',
    ],
)
def test_answers_are_read_in_every_form_and_a_wrong_start_is_corrected(answers):
    assert target(answers) == (("1887", 30),)


@pytest.mark.parametrize("answers", [[], (), "", " ", "[]", {"text": [], "answer_start": []}])
def test_no_answer_is_an_empty_list(answers):
    assert target(answers) == ()


def test_an_answer_without_a_start_is_the_first_such_part_of_the_context():
    assert target("bridge") == (("bridge", 20),)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (None, r"^has no answers; write an empty list for a question that has none$"),
        (5, r"^has '5' where answers are expected$"),
        ([5], r"^has an answer without a text$"),
        ([{"start": 3}], r"^has an answer without a text$"),
        ([{"text": " ", "start": 3}], r"^has an answer without a text$"),
        ([{"text": "1887", "start": "30"}], r"^has '30' as the start of an answer, which is no whole number$"),
        ([{"text": "1887", "start": True}], r"^has 'True' as the start of an answer, which is no whole number$"),
        ({"text": ["1887"], "start": [30, 1]}, r"^has 1 answers but other than 1 starts$"),
        ("1999", r"^has the answer '1999', which is not in its context$"),
        (
            [{"text": "Anna", "start": 3}],
            r"^has the answer 'Anna' with the start 3, where the context has something else, and it occurs there sev",
        ),
    ],
)
def test_other_answers_are_rejected_with_the_reason(answers, reason):
    with pytest.raises(DataError, match=reason):
        target(answers)


def test_an_empty_context_is_rejected():
    with pytest.raises(DataError, match=r"^has no context$"):
        target("1887", context=" ")


def squad(questions, context=CONTEXT):
    return {"version": "v2.0", "data": [{"title": "Bridges", "paragraphs": [{"context": context, "qas": questions}]}]}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_squad_file_is_read_question_by_question_and_what_is_wrong_in_it_is_listed(tmp_path, indent):
    document = squad(
        [
            {"id": "a", "question": "When?", "answers": [{"text": "1887", "answer_start": 30}], "is_impossible": False},
            {"id": "b", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": []},
            "not an object",
            {"id": "c", "question": "Who?", "answers": [{"text": "Carl", "answer_start": 0}]},
        ]
    )
    document["data"][0]["paragraphs"] += ["text", {"qas": []}, {"context": CONTEXT}, {"context": CONTEXT, "qas": 1}]
    document["data"].append({"title": "No list", "paragraphs": {}})
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(document, indent=indent))
    table = read(path, QuestionAnswering())
    assert table.rows.ids == ("dev.json:1", "dev.json:2")
    assert table.rows.inputs[0] == {"question": "When?", "context": CONTEXT}
    assert table.rows.targets == ((("1887", 30),), ())
    assert [(row.line, row.reason) for row in table.rejected] == [
        (3, "is not an object in data[0].paragraphs[0].qas[2]"),
        (4, "has the answer 'Carl', which is not in its context"),
        (5, "is not an object in data[0].paragraphs[1]"),
        (6, "has no 'context' in data[0].paragraphs[2]"),
        (7, "has no 'qas' in data[0].paragraphs[3]"),
        (8, "has no list of 'qas' in data[0].paragraphs[4]"),
        (9, "has no list of 'paragraphs' in data[1]"),
    ]


def rows(pairs):
    inputs, targets = zip(*pairs, strict=True)
    return Rows(tuple(map(str, range(len(inputs)))), inputs, targets)


# --- windows -------------------------------------------------------------------------------------------------


def bert(folder):
    tokenizer = vocabulary.train([CONTEXT, " ".join(WORDS)], 200, window=24)
    tokenizer.save(folder)
    return BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def roberta(folder):
    import tokenizers

    backend = tokenizers.ByteLevelBPETokenizer()
    backend.train_from_iterator(
        [CONTEXT, " ".join(WORDS)], 400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False
    )
    backend.save_model(str(folder))
    return RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))


@pytest.mark.parametrize("family", [bert, roberta])
def test_ids_segments_and_characters_of_windows_are_those_of_transformers(family, tmp_path, rng):
    other = family(tmp_path)
    questions = ["Who built it?", "When?", " ".join(WORDS[:4]), "Où est-ce 桥?"]
    contexts = [CONTEXT, "Short.", " ".join(rng.choice(WORDS, 200)), f"  {CONTEXT}\n\u200b Café 桥。{CONTEXT} "]
    expected = other(
        questions,
        contexts,
        truncation="only_second",
        max_length=48,
        stride=5,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    offsets = [
        [place if owner == 1 else (0, 0) for place, owner in zip(places, expected.sequence_ids(number), strict=True)]
        for number, places in enumerate(expected["offset_mapping"])
    ]
    encoded = windows.encode(Tokenizer(other.backend_tokenizer, 48), questions, contexts, stride=5)
    cuts = encoded.boundaries[1:-1]
    assert [part.tolist() for part in np.split(encoded.tokens, cuts)] == expected["input_ids"]
    assert [list(map(tuple, part.tolist())) for part in np.split(encoded.characters, cuts)] == offsets
    types = [0] * len(encoded.tokens) if encoded.segments is None else encoded.segments
    assert list(types) == np.concatenate(expected["token_type_ids"]).tolist()
    assert np.repeat(np.arange(4), np.diff(encoded.rows)).tolist() == expected["overflow_to_sample_mapping"]
    assert len(expected["input_ids"]) > 8
    assert encoded.cut_off == 0


def test_a_long_question_leaves_half_of_the_window_to_the_context():
    tokenizer = vocabulary.train([" ".join(WORDS)] * 9, 200, window=23)
    encoded = tokenizer.encode_windows([" ".join(WORDS * 9)], [" ".join(WORDS * 3)])
    inside = encoded.characters[:, 1] > 0
    assert encoded.sequence_lengths.max() == 23
    assert inside[:23].sum() == 10
    assert encoded.cut_off == pytest.approx((72 - 10) / (72 + 24))
    # Neighbouring windows share half of that room, so that no short answer is at the border of all.
    assert np.diff(encoded.characters[encoded.boundaries[:-1] + 13, 0]).min() > 0
    assert len(encoded.boundaries) - 1 == 4


# --- targets and answers -------------------------------------------------------------------------------------


def test_an_answer_is_learnt_in_every_window_that_contains_it(rng):
    tokenizer = vocabulary.train([" ".join(WORDS)], 200, window=24)
    context = ". ".join(rng.choice(WORDS, 80))
    start = context.index(" ", 200) + 1
    text = " ".join(context[start:].split()[:3]).rstrip(".")  # a token begins where it ends
    given = rows([({"question": "What?", "context": context}, ((text, start),))])
    encoded = QuestionAnswering().encode(given.inputs, tokenizer)
    values = QuestionAnswering().targets(given, encoded).values
    for number, (first, last) in enumerate(values):
        places = encoded.characters[encoded.boundaries[number] : encoded.boundaries[number + 1]]
        inside = places[places[:, 1] > 0]
        if inside[0, 0] <= start and start + len(text) <= inside[-1, 1]:
            assert context[places[first, 0] : places[last, 1]] == text
        else:
            assert (first, last) == (0, 0)
    assert 0 < (values > 0).any(axis=1).sum() < len(values)


def brute_force(task, outputs, encoded, value):
    """The best text and its advantage over no answer, by trying every span."""
    best = "", -np.inf
    for sequence in range(len(encoded.boundaries) - 1):
        low, high = encoded.boundaries[sequence : sequence + 2]
        logits, places = outputs[low:high].astype(float), encoded.characters[low:high]
        for first in range(len(logits)):
            for last in range(first, min(len(logits), first + LONGEST)):
                if places[first, 1] and places[last, 1]:
                    score = logits[first, 0] + logits[last, 1] - logits[0].sum()
                    if score > best[1]:
                        best = value["context"][places[first, 0] : places[last, 1]], score
    return best


@pytest.mark.parametrize("seed", range(5))
def test_the_best_span_of_all_windows_is_chosen(seed):
    rng = np.random.default_rng(seed)
    tokenizer = vocabulary.train([" ".join(WORDS)], 200, window=64)
    values = [{"question": "What?", "context": " ".join(rng.choice(WORDS, count))} for count in (3, 70, 150)]
    task = QuestionAnswering(unanswerable=True)
    encoded = task.encode(values, tokenizer)
    outputs = rng.normal(size=(len(encoded.tokens), 2)).astype(np.float32) * 3
    predictions = task.decode(Ragged(outputs, encoded.boundaries), encoded, values)
    assert len(encoded.boundaries) - 1 > 3
    for row, value in enumerate(values):
        sequences = encoded.sequences(np.array([row]))
        part = encoded.since(row).until(1)
        start = encoded.boundaries[sequences[0]]
        text, score = brute_force(task, outputs[start : start + len(part.tokens)], part, value)
        candidates = dict(predictions.candidates[row])
        assert next(iter([name for name in candidates if name])) == text
        assert np.log(candidates[text] / candidates[""]) == pytest.approx(score, abs=1e-6)
        assert predictions.values[row] == (text if score >= 0 else "")
        assert predictions.confidence[row] == max(candidates.values())
        assert sum(candidates.values()) == pytest.approx(1)
        assert len(candidates) <= KEPT + 1
        assert list(candidates.values()) == sorted(candidates.values(), reverse=True)


def test_no_answer_is_given_only_where_the_training_rows_have_questions_without_one():
    assert QuestionAnswering().fitted(rows(QuestionAnswering.SAMPLE)).unanswerable
    task = QuestionAnswering().fitted(rows(QuestionAnswering.SAMPLE[:5]))
    assert not task.unanswerable
    tokenizer = vocabulary.train([CONTEXT], 200, window=64)
    value = {"question": "Who?", "context": CONTEXT}
    encoded = task.encode([value], tokenizer)
    outputs = np.zeros((len(encoded.tokens), 2), dtype=np.float32)
    outputs[0] = 50.0
    predictions = task.decode(Ragged(outputs, encoded.boundaries), encoded, [value])
    assert predictions.values[0]
    assert "" not in dict(predictions.candidates[0])
    assert task.settled(predictions, [()]) == task


def test_a_context_without_tokens_has_no_answer():
    task = QuestionAnswering()
    tokenizer = vocabulary.train([CONTEXT], 200, window=64)
    value = {"question": "Who?", "context": "\u200b"}
    encoded = task.encode([value], tokenizer)
    predictions = task.decode(
        Ragged(np.zeros((len(encoded.tokens), 2), np.float32), encoded.boundaries), encoded, [value]
    )
    assert (predictions.values, predictions.confidence.tolist()) == (("",), [1.0])
    assert task.targets(rows([(value, (("\u200b", 0),))]), encoded).values.tolist() == [[0, 0]]


@pytest.mark.parametrize("seed", range(8))
def test_the_threshold_for_no_answer_gives_the_highest_f1(seed):
    rng = np.random.default_rng(seed)
    task = QuestionAnswering(unanswerable=True)
    odds = rng.normal(size=30).round(1) + 2
    candidates = tuple((("1887", 1 / (1 + np.exp(odd))), ("", 1 / (1 + np.exp(-odd)))) for odd in odds)
    targets = [() if rng.random() < 0.5 else (("1887", 30),) for _ in odds]

    def score(threshold):
        values = tuple("" if odd > threshold else "1887" for odd in odds)
        return QuestionAnswering.metrics[0].of(task.tally(Predictions(values), targets).total)

    settled = task.settled(Predictions(("",) * 30, candidates=candidates), targets)
    best = max(score(threshold) for threshold in [-9.0, *odds + 0.05, 9.0])
    values = tuple(settled._best(each) for each in candidates)
    assert QuestionAnswering.metrics[0].of(task.tally(Predictions(values), targets).total) == pytest.approx(best)
    assert np.isfinite(settled.threshold)


def test_scores_are_those_of_squad():
    """Articles, case and punctuation do not count; an accepted answer that is nothing but them counts as none."""
    task = QuestionAnswering()
    targets = [(("the Anna Berg", 0), ("Berg", 5)), (), (("a", 0),), (("Anna", 0),)]
    tally = task.tally(Predictions(("anna berg!", "", "", "Anna Berg")), targets)
    assert tally.rows.toarray()[:, 2].tolist() == pytest.approx([1, 1, 1, 2 / 3])
    assert tally.rows.toarray()[:, 1].tolist() == [1, 1, 1, 0]
    assert [metric.name for metric in task.metrics] == ["token F1", "exact match"]


def test_the_floor_is_the_sentence_nearest_to_the_question():
    value = {"question": "When did the bridge fall, and what fell?", "context": CONTEXT}
    assert QuestionAnswering().untrained(value, 0) == "The bridge fell in 1901, and Anna died."


@pytest.mark.parametrize(("answers", "expected"), [(1, "Anna Berg built the bridge in 1887."), (0, "")])
def test_the_floor_is_no_answer_where_that_scores_higher_in_training(answers, expected, tmp_path):
    value = {"question": "Who built the bridge?", "context": CONTEXT}
    train = rows([(value, (("Anna Berg", 0),) * answers)] * 3)
    task = QuestionAnswering().fitted(train)
    fitted = Majority().fit(train, train, task, Run(0, tmp_path / "work", metric="token F1"))
    assert fitted.predict([value]).values == (expected,)
    fitted.save(tmp_path / "saved")
    assert model_folder.open_model(tmp_path / "saved").predict([value]).values == (expected,)


@pytest.mark.parametrize("strategy", rooms.names("strategies"))
def test_every_strategy_trains_a_span_head(strategy, backbone, tmp_path):
    """The window of the backbone is short, so that nearly every context has several."""
    train = rows(QuestionAnswering.SAMPLE)
    task = QuestionAnswering().fitted(train)
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "strategy": strategy, "epochs": 1})
    fitted = contender.fit(train, train, task, Run(0, tmp_path / "work", metric="token F1"))
    predictions = fitted.predict(train.inputs)
    assert all(answer in value["context"] for answer, value in zip(predictions.values, train.inputs, strict=True))
    assert all(dict(candidates)[""] > 0 for candidates in predictions.candidates)
