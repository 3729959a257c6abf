"""Events: what a row may look like, encoding in windows, decoding, and which trigger an argument belongs to."""

import re
import tracemalloc

import numpy as np
import pytest

from headstart.core.errors import DataError
from headstart.core.records import Rows, Run
from headstart.core.sequences import IGNORED, Ragged
from headstart.data.read import Look, read
from headstart.tasks import guess
from headstart.tasks._words import divided
from headstart.tasks.event import Event
from headstart.text import tags, vocabulary

TEXT = "A gang stole two vans in Rome. The bank fixed the leak."
THEFT = (7, 12, "Theft")
FACTS = (
    THEFT,
    (40, 45, "Repair"),
    (0, 6, 7, 12, "Theft:who"),
    (13, 21, 7, 12, "Theft:what"),
    (31, 39, 40, 45, "Repair:who"),
)
OBJECTS = [
    {
        "type": "Repair",
        "start": 40,
        "end": 45,
        "arguments": [{"role": "who", "start": 31, "end": 39, "type": "company"}],
    },
    {
        "type": "Theft",
        "start": 7,
        "end": 12,
        "arguments": [{"role": "who", "start": 0, "end": 6}, {"role": "what", "start": 13, "end": 21}],
    },
]


def span(part, text=TEXT):
    return text.index(part), text.index(part) + len(part)


@pytest.mark.parametrize(
    "events",
    [
        OBJECTS,
        [*OBJECTS, OBJECTS[0]],
        [
            {"event_type": "Theft", "trigger": {"start": 6, "end": 13}, "args": [[0, 7, "who"], [13, 21, " what"]]},
            {"label": "Repair", "trigger": {"begin": 40, "stop": 45}, "arguments": [[31, 39, "who"]]},
        ],
        [
            {"type": "Theft", "start": 7, "end": 12, "trigger": "stole", "arguments": [[0, 6, "who"]]},
            {"event": "Theft", "start": 7, "end": 12, "arguments": [[13, 21, "what"]]},
            {
                "event": "Repair",
                "start_offset": 40,
                "end_offset": 45,
                "args": [{"label": "who", "start": 31, "end": 39}],
            },
        ],
        [list(fact) for fact in reversed(FACTS)],
        [OBJECTS[0], *FACTS],
        str([list(fact) for fact in FACTS]),
    ],
)
def test_events_and_facts_are_read_in_order_and_once(events):
    assert Event().read({"text": TEXT, "events": events}) == (TEXT, FACTS)


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "Theft", "start": 7, "end": 12}],
        [{"type": "Theft", "start": 7, "end": 12, "arguments": None}],
        [THEFT],
    ],
)
def test_an_event_may_have_no_arguments_and_a_text_no_events(events):
    assert Event().read({"text": TEXT, "events": events}) == (TEXT, (THEFT,))
    assert Event().read({"text": TEXT, "events": []}) == (TEXT, ())
    assert Event().read({"text": TEXT}) == (TEXT, None)


def test_an_argument_may_belong_to_several_events_and_have_several_roles():
    arguments = [{"role": role, "start": 13, "end": 21} for role in ("what", "aim")]
    events = [{**event, "arguments": arguments[: 2 - number]} for number, event in enumerate(OBJECTS)]
    _, facts = Event().read({"text": TEXT, "events": events})
    assert facts == (
        THEFT,
        (40, 45, "Repair"),
        (13, 21, 7, 12, "Theft:what"),
        (13, 21, 40, 45, "Repair:aim"),
        (13, 21, 40, 45, "Repair:what"),
    )


@pytest.mark.parametrize(
    ("text", "events", "reason"),
    [
        (TEXT, [[7, 99, "Theft"]], "has a trigger from 7 to 99 in a text of 55 characters"),
        (TEXT, [[-5, 4, "Theft"]], "has a trigger from -5 to 4 in a text of 55 characters"),
        (TEXT, [[12, 7, "Theft"]], "has a trigger from 12 to 7 in a text of 55 characters"),
        (TEXT, [[6, 7, "Theft"]], "has a trigger from 6 to 7, where there is only white space"),
        (TEXT, [{**OBJECTS[0], "arguments": [[50, 60, "who"]]}], "has an argument from 50 to 60 in a text of 55"),
        (TEXT, [THEFT, (50, 60, 7, 12, "Theft:who")], "has an argument from 50 to 60 in a text of 55 characters"),
        (TEXT, [THEFT, (0, 6, 70, 82, "Theft:who")], "has a trigger from 70 to 82 in a text of 55 characters"),
        (TEXT, [THEFT, [9, 21, "Theft"]], "has mentions that overlap: 7 to 12 ('trigger:Theft') and 9 to 21 ('tr"),
        (TEXT, [THEFT, [7, 12, "Loss"]], "has mentions that overlap: 7 to 12 ('trigger:Loss') and 7 to 12 ('trigg"),
        (TEXT, [THEFT, (0, 12, 7, 12, "Theft:who")], "has mentions that overlap: 0 to 12 ('role:who') and 7 to 12"),
        (TEXT, [THEFT, (7, 12, 7, 12, "Theft:who")], "has mentions that overlap: 7 to 12 ('role:who') and 7 to 12"),
        (
            TEXT,
            [THEFT, (13, 21, 7, 12, "Theft:what"), (17, 21, 7, 12, "Theft:who")],
            "has mentions that overlap: 13 to 21 ('role:what') and 17 to 21 ('role:who')",
        ),
        (
            TEXT,
            [(0, 6, 7, 12, "Theft:who")],
            "has an argument 'Theft:who' from 0 to 6 without its trigger: no event of this type is listed from 7 to 12",
        ),
        (TEXT, [THEFT, (0, 6, 7, 12, "Repair:who")], "has an argument 'Repair:who' from 0 to 6 without its trigger"),
        (TEXT, [THEFT, (0, 6, 7, 12, "Theft: ")], "has an argument 'Theft:' from 0 to 6 without its trigger"),
        (TEXT, [THEFT, (0, 6, 7, 12, "who")], "has an argument 'who' from 0 to 6 without its trigger"),
        (TEXT, [THEFT, (0, 6, 7, "12", "Theft:who")], "has a trigger without start, end and type"),
        (TEXT, [{"arguments": [[0, 6, "who"]]}], "has a trigger without start, end and type"),
        (TEXT, [{"type": "Theft", "trigger": "stole"}], "has a trigger without start, end and type"),
        (TEXT, [{"start": 7, "end": 12}], "has a trigger without start, end and type"),
        (TEXT, [[7, 12, " "]], "has a trigger without start, end and type"),
        (TEXT, [[7.0, 12.0, "Theft"]], "has a trigger without start, end and type"),
        (TEXT, [[True, 12, "Theft"]], "has a trigger without start, end and type"),
        (TEXT, [{**OBJECTS[0], "arguments": [{"start": 0, "end": 6}]}], "has an argument without start, end and role"),
        (TEXT, [{**OBJECTS[0], "arguments": ["The bank"]}], "has an argument without start, end and role"),
        (TEXT, [{**OBJECTS[0], "arguments": "The bank"}], "has 'The bank' where a list (arguments) is expected"),
        (TEXT, [{**OBJECTS[0], "arguments": {}}], "has an object where a list (arguments) is expected"),
        (TEXT, ["Theft"], "has an event that is neither an object nor a fact: [start, end, type], or for an argument"),
        (TEXT, [[7, 12]], "has an event that is neither an object nor a fact"),
        (TEXT, [None], "has an event that is neither an object nor a fact"),
        (TEXT, {"Theft": [7, 12]}, "has an object where a list (events) is expected"),
        (TEXT, "B-Theft O", "has 'B-Theft O' where a list (events) is expected"),
        (TEXT, None, "has no events"),
        (["A", "gang"], [], "has a list of words where a text is expected: places are counted in characters"),
        ("", [], "has no text"),
    ],
)
def test_what_cannot_be_used_is_said(text, events, reason):
    with pytest.raises(DataError, match=f"^{re.escape(reason)}"):
        Event().read({"text": text, "events": events})


def test_rows_that_cannot_be_used_are_listed():
    events = [[THEFT], [[7, 99, "Theft"]], [THEFT, [9, 21, "Loss"]], [(0, 6, 7, 12, "Theft:who")], ["Theft"], []]
    table = read(([f"{TEXT} {number}" for number in range(6)], events), Event())
    assert table.rows.targets == ((THEFT,), ())
    assert [(row.line, row.reason.split(":")[0]) for row in table.rejected] == [
        (2, "has a trigger from 7 to 99 in a text of 57 characters"),
        (3, "has mentions that overlap"),
        (4, "has an argument 'Theft"),
        (5, "has an event that is neither an object nor a fact"),
    ]


def test_columns_of_events_are_recognised():
    assert guess(lambda: Look(("id", "text", "events"))) == "event"


def rows_of(texts, targets):
    return Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(targets))


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train([TEXT, "unbelievable cities"], 60, window=16)


@pytest.fixture
def task():
    return Event().fitted(rows_of([TEXT], [FACTS]))


def test_types_and_the_roles_of_each_are_those_of_the_training_rows(task):
    assert task.classes == ("Repair", "Theft")
    assert task.roles == (("Repair", "who"), ("Theft", "what"), ("Theft", "who"))
    assert task.head().labels == tags.bio(["trigger:Repair", "trigger:Theft", "role:what", "role:who"])


def test_a_type_may_have_the_name_of_a_role_and_hold_a_colon():
    facts = ((7, 12, "a:b"), (0, 6, 7, 12, "a:b:a:b"))
    assert Event().read({"text": TEXT, "events": [*facts]}) == (TEXT, facts)
    task = Event().fitted(rows_of([TEXT], [facts]))
    assert task.roles == (("a:b", "a:b"),)
    assert task.head().labels == tags.bio(["trigger:a:b", "role:a:b"])


def certain(task, rows, tokenizer):
    """Decode the outputs of a head that is sure of the right answers."""
    encoded = task.encode(rows.inputs, tokenizer)
    targets = task.targets(rows, encoded)
    logits = 9.0 * np.eye(len(task.tag_names), dtype=np.float32)[np.maximum(targets.values, 0)]
    return targets, task.decode(Ragged(logits, encoded.boundaries), encoded, rows.inputs).values


def test_the_label_is_on_the_first_token_of_each_word(task, tokenizer):
    rows = rows_of([TEXT], [FACTS])
    targets, decoded = certain(task, rows, tokenizer)
    encoded = task.encode(rows.inputs, tokenizer)
    labelled = targets.values != IGNORED
    assert encoded.words[labelled].tolist() == sorted(set(encoded.words[labelled]))  # once each
    names = np.array(task.tag_names)[targets.values[labelled]]
    words = ["B-role:who", "I-role:who", "B-trigger:Theft", "B-role:what", "I-role:what", "O", "O", "O"]
    assert names.tolist() == [*words, "B-role:who", "I-role:who", "B-trigger:Repair", "O", "O", "O"]
    assert decoded == (FACTS,)


def test_documents_beyond_the_window_are_learnt_once_and_decoded_whole(task, tokenizer):
    text = " ".join([TEXT] * 9)
    facts = tuple(
        sorted(
            ((*(place + 56 * number for place in fact[:-1]), fact[-1]) for number in range(9) for fact in FACTS),
            key=lambda fact: (len(fact), fact),
        )
    )
    rows = rows_of([text, "Nothing."], [facts, ()])
    encoded = task.encode(rows.inputs, tokenizer)
    assert encoded.windows[0] > 9
    assert encoded.sequence_lengths.max() <= 16
    targets, decoded = certain(task, rows, tokenizer)
    assert (targets.values != IGNORED).sum() == len(divided(text).spans) + 2
    assert decoded == (facts, ())


def linked(task, text, *parts):
    """Decode tags of some parts of a text; return each argument with the trigger that it belongs to."""
    places = {part: span(part, text) for part, _ in parts}
    facts = task._linked(text, [(*places[part], name) for part, name in parts])
    words = {(*places[part],): part for part in places}
    return {(words[fact[:2]], fact[4]): words[fact[2:4]] for fact in facts if len(fact) == 5}


def test_an_argument_belongs_to_the_nearest_trigger_whose_type_has_its_role(task):
    text = "They stole vans, fixed keys, and robbed banks"
    triggers = [("stole", "trigger:Theft"), ("fixed", "trigger:Repair"), ("robbed", "trigger:Theft")]
    assert linked(task, text, *triggers, ("vans", "role:what"), ("keys", "role:what"), ("banks", "role:who")) == {
        ("vans", "Theft:what"): "stole",
        ("keys", "Theft:what"): "robbed",  # a repair has no 'what'
        ("banks", "Theft:who"): "robbed",
    }


def test_a_trigger_in_the_same_sentence_comes_before_a_nearer_one_in_another(task):
    text = "In the night of Sunday they stole two cars. Vans were fixed."
    parts = [("stole", "trigger:Theft"), ("fixed", "trigger:Repair"), ("cars", "role:who"), ("Vans", "role:who")]
    assert linked(task, text, *parts) == {("cars", "Theft:who"): "stole", ("Vans", "Repair:who"): "fixed"}
    assert linked(task, text, parts[0], parts[3]) == {("Vans", "Theft:who"): "stole"}  # none in its own sentence


def test_of_two_triggers_at_the_same_distance_the_first_one_is_taken(task):
    parts = [("stole", "trigger:Theft"), ("robbed", "trigger:Theft"), ("vans", "role:what")]
    assert linked(task, "stole vans robbed", *parts) == {("vans", "Theft:what"): "stole"}


def test_an_argument_that_no_trigger_can_have_is_left_out(task):
    assert linked(task, "fixed vans", ("fixed", "trigger:Repair"), ("vans", "role:what")) == {}
    assert linked(task, "fixed vans", ("vans", "role:what")) == {}


def test_of_several_roles_the_first_is_learnt(tokenizer):
    facts = (THEFT, (13, 21, 7, 12, "Theft:b"), (13, 21, 7, 12, "Theft:a"))
    rows = rows_of([TEXT], [facts])
    _, decoded = certain(Event().fitted(rows), rows, tokenizer)
    assert decoded == ((THEFT, (13, 21, 7, 12, "Theft:a")),)


def test_types_and_roles_that_training_never_shows_are_not_learnt(tokenizer):
    task = Event().fitted(rows_of([TEXT], [(THEFT,)]))
    targets, _ = certain(task, rows_of([TEXT], [FACTS]), tokenizer)
    assert sorted(set(targets.values[targets.values >= 0])) == [0, 1]
    assert (targets.values[targets.values >= 0] == 1).sum() == 1


def test_no_impossible_sequence_is_predicted(task, tokenizer):
    """The tag that continues a role scores best everywhere, but cannot come first or after O."""
    encoded = task.encode([TEXT], tokenizer)
    logits = np.zeros((len(encoded.tokens), len(task.tag_names)), dtype=np.float32)
    logits[:, task.tag_names.index("I-role:who")] = 3.0
    logits[:, task.tag_names.index("B-role:who")] = -90.0
    assert task.decode(Ragged(logits, encoded.boundaries), encoded, [TEXT]).values == ((),)


def test_outputs_that_are_no_numbers_predict_something_that_can_be_scored(task, tokenizer):
    encoded = task.encode([TEXT, ""], tokenizer)
    logits = np.full((len(encoded.tokens), len(task.tag_names)), np.nan, dtype=np.float32)
    predictions = task.decode(Ragged(logits, encoded.boundaries), encoded, [TEXT, ""])
    assert task.tally(predictions, [FACTS, ()]).rows.shape == (2, 3 * len(task.metrics))


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u0000", "🙂" * 50, "北京" * 40, "a" * 5000, "x. " * 3000])
def test_odd_texts_are_encoded_and_decoded(task, tokenizer, text):
    encoded = task.encode([text], tokenizer)
    logits = np.zeros((len(encoded.tokens), len(task.tag_names)), dtype=np.float32)
    logits[:, task.tag_names.index("B-trigger:Theft")] = 1.0
    (facts,) = task.decode(Ragged(logits, encoded.boundaries), encoded, [text]).values
    assert all(0 <= start < end <= len(text) for start, end, _ in facts)


def test_decoding_one_long_row_beside_short_ones_takes_memory_for_their_words_alone():
    names = tags.bio(map(str, range(20)))
    ends = np.cumsum([0, 2000, *[1] * 500])
    scores = np.zeros((int(ends[-1]), len(names)), dtype=np.float32)
    tracemalloc.start()
    tags.viterbi(scores, ends, *tags.transitions(names))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # a table of all rows by the longest would take 160 MB


def test_a_transformer_learns_events(rng, tmp_path):
    from headstart.contenders.scratch import Scratch

    texts, targets = [], []
    for _ in range(40):
        who, what, verb = (str(rng.choice(words)) for words in (("Anna", "Li"), ("vans", "keys"), ("stole", "fixed")))
        text, kind = f"{who} {verb} {what}.", {"stole": "Theft", "fixed": "Repair"}[verb]
        trigger = span(verb, text)
        texts.append(text)
        roles = {"what": what, "who": who}
        arguments = sorted((*span(part, text), *trigger, f"{kind}:{role}") for role, part in roles.items())
        targets.append(((*trigger, kind), *arguments))
    rows = rows_of(texts, targets)
    shape = {"vocabulary": 120, "layers": 1, "width": 32, "heads": 2, "feed_forward": 32, "window": 32}
    contender = Scratch(**shape, epochs=4, learning_rate=5e-3)
    fitted = contender.fit(rows, rows, Event().fitted(rows), Run(0, tmp_path / "work", metric="trigger-F1"))
    assert fitted.predict(rows.inputs).values == rows.targets
