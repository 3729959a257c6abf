"""POST /predict: answers by kind, and one sentence for everything that is wrong with a request."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.conftest import Model, fitted_task

from headstart.core.contracts import Fitted
from headstart.core.errors import UsageError
from headstart.core.records import Predictions
from headstart.core.tabular import Tabular
from headstart.nn.prepacked import FEW, rounded
from headstart.serve import answers, inputs, run
from headstart.serve.limits import Limits, Refused
from headstart.serve.service import WORDS, Service

JSON = {"content-type": "application/json"}


def test_texts_are_answered_in_order(shared):
    answer = shared.predict("even", "odd")
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": [
            {"predicted": "good", "confidence": 0.75, "scores": {"bad": 0.25, "good": 0.75}},
            {"predicted": "bad", "confidence": 0.75, "scores": {"bad": 0.75, "good": 0.25}},
        ]
    }
    assert shared.predict({"text": "even"}).json()["predictions"] == answer.json()["predictions"][:1]


NESTED = '{"inputs": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is not JSON: line 1, column 1: Expecting value."),
        (b'{"inputs": ["a"', 400, "the body is not JSON: line 1, column 16: "),
        (b'{"inputs": [NaN]}', 400, "the body is not JSON: NaN is no JSON number."),
        (b'{"inputs": [-Infinity]}', 400, "the body is not JSON: -Infinity is no JSON number."),
        (NESTED.encode(), 400, "the body is nested too deeply."),
        (b'{"inputs": [' + b"1" * 5000 + b"]}", 400, "the body is not JSON: Exceeds the limit (4300 digits)"),
        (b'{"inputs": ["\xff"]}', 400, "the body is not valid UTF-8: byte 13 is 0xff."),
        (b"null", 422, 'the body is null; send an object such as {"inputs": ["A text."]}.'),
        (b'["a"]', 422, "the body is a list; send"),
        (b"{}", 422, "'inputs' is null, not a list; send"),
        (b'{"inputs": "a"}', 422, "'inputs' is a text, not a list; send"),
        (b'{"inputs": ["a"], "input": 1}', 422, "the body has an unknown key 'input'; send"),
        (b'{"inputs": []}', 422, "a request has 1 to 32 inputs, and this one has 0; send several requests."),
        (json.dumps({"inputs": ["a"] * 33}).encode(), 422, "a request has 1 to 32 inputs, and this one has 33;"),
        (b'{"inputs": ["a", null]}', 422, 'input 2 is null, not a text or an object such as "A text.".'),
        (b'{"inputs": [1e999]}', 422, "input 1 is a number, not a text"),
        (b'{"inputs": [["a"]]}', 422, "input 1 is a list, not a text"),
        (b'{"inputs": [true]}', 422, "input 1 is a boolean, not a text"),
        (b'{"inputs": ["  "]}', 422, "input 1 has no text."),
        (b'{"inputs": [{"text": {"a": 1}}]}', 422, "input 1 has an object with the keys 'a' where a text is expected."),
        (
            b'{"inputs": [{"text": [1]}]}',
            422,
            "input 1 has a list of other things than words where a text is expected.",
        ),
        (b'{"inputs": [{"txt": "a"}]}', 422, "input 1 has an unknown key 'txt'; did you mean 'text'?"),
        (b'{"inputs": [{}]}', 422, 'input 1 has no text; send an object such as "A text.".'),
        (b'{"inputs": ["a\\ud800"]}', 422, "input 1 holds half of a surrogate pair, which is no character."),
        (b'{"inputs": ["a\\u0000"]}', 422, "input 1 holds a NUL byte."),
        (b'{"inputs": ["even", "unreadable"]}', 422, "the model cannot read this: a text is unreadable."),
        (b'{"inputs": ["crash"]}', 500, "an unexpected error (ZeroDivisionError); see the server's log."),
    ],
    ids=lambda value: re.sub(r"\W+", " ", value[:40].decode("latin-1")) if isinstance(value, bytes) else None,
)
def test_what_is_wrong_with_a_body_is_one_sentence(shared, body, status, sentence):
    answer = shared.client.post("/predict", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json()["error"].startswith(sentence)
    assert answer.json()["error"].endswith((".", "?"))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_another_type_is_refused(shared, kind):
    answer = shared.client.post("/predict", content=b'{"inputs": ["a"]}', headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["error"] == "the body must be JSON, with the header 'Content-Type: application/json'."


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/predict", 405, "/predict does not answer GET; it answers POST."),
        ("OPTIONS", "/predict", 405, "/predict does not answer OPTIONS; it answers POST."),
        ("DELETE", "/metrics", 405, "/metrics does not answer DELETE; it answers "),
        ("BREW", "/predict", 405, "/predict does not answer BREW; it answers POST."),
        ("GET", "/nothing", 404, "there is no /nothing here; see /docs."),
        ("POST", "/%7Bpath%7D", 404, "there is no /{path} here; see /docs."),
        ("GET", "/predict/", 404, "there is no /predict/ here; see /docs."),
    ],
)
def test_unknown_routes_and_methods(shared, method, path, status, sentence):
    answer = shared.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(sentence)


def test_a_head_request_is_a_get_without_a_body(shared):
    answer = shared.client.head("/health/ready")
    assert (answer.status_code, answer.content) == (200, b"")


class Answering(Fitted):
    def __init__(self, name, predictions):
        self.task = fitted_task(name)
        self.answer = predictions

    def predict(self, inputs):
        return self.answer


TEXT = "Ada lives in Rome."


@pytest.mark.parametrize(
    ("name", "value", "predictions", "answer"),
    [
        ("regression", TEXT, Predictions((2.1234567,)), {"predicted": 2.123457}),
        ("regression", TEXT, Predictions((float("inf"),)), {"predicted": None}),
        (
            "multilabel",
            TEXT,
            Predictions((("noise",),), ("battery", "noise"), np.array([[0.25, 0.75]])),
            {"predicted": ("noise",), "scores": {"battery": 0.25, "noise": 0.75}},
        ),
        (
            "ner",
            TEXT,
            Predictions((((0, 3, "person"),),), confidence=np.array([0.5])),
            {"predicted": [{"start": 0, "end": 3, "text": "Ada", "label": "person"}], "confidence": 0.5},
        ),
        (
            "qa",
            {"question": "Who?", "context": TEXT},
            Predictions(("Ada",), confidence=np.array([1 / 3])),
            {"predicted": "Ada", "confidence": 0.333333},
        ),
    ],
)
def test_each_kind_is_answered_as_predict_writes_it(name, value, predictions, answer):
    assert answers.answer(Answering(name, predictions), None, [value]) == [answer]


def test_a_model_that_is_not_sure_enough_abstains():
    model = Model(fitted_task())
    even, odd = answers.answer(model, 0.8, ["even", "odd"])
    assert even == {"predicted": None, "confidence": 0.75, "scores": {"bad": 0.25, "good": 0.75}}
    assert answers.answer(model, 0.7, ["odd"]) == [odd | {"predicted": "bad"}]
    with pytest.raises(UsageError, match="abstaining needs the confidence of each answer as a whole"):
        answers.answer(Answering("regression", Predictions((2.0,))), 0.5, [TEXT])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("a text", 'input 1 is a text, not an object such as {"question": "A text.", "context": "A text."}.'),
        ({"question": "Who?"}, 'input 1 has no context; send an object such as {"question"'),
        ({"question": "Who?", "context": ""}, "input 1 has no context."),
        ({"question": "Who?", "context": "a", "answers": "a"}, "input 1 has an unknown key 'answers'; known: "),
    ],
)
def test_a_task_of_several_texts_takes_objects(given, sentence):
    with pytest.raises(Refused) as refused:
        inputs.read(fitted_task("qa"), [given])
    assert refused.value.status == 422
    assert str(refused.value).startswith(sentence)


def test_a_question_with_its_context_is_read():
    value = {"question": "Who?", "context": TEXT}
    assert inputs.read(fitted_task("qa"), [value]) == [value]


def with_columns():
    from dataclasses import replace

    return replace(fitted_task(), tabular=Tabular.of(["price", "country"]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("a text", "input 1 is a text, not an object such as "),
        ({"text": "a"}, "input 1 lacks columns, which the model reads beside the text; send an object such as "),
        ({"text": "a", "columns": {"price": 1}}, "input 1 lacks columns 'country', which"),
        ({"text": "a", "columns": [1]}, "input 1 lacks columns, which"),
        (
            {"text": "a", "columns": {"price": 1, "country": "DE", "prize": 2}},
            "input 1 has an unknown column 'prize'; did you mean 'price'?",
        ),
        ({"text": "a", "columns": {"price": 1, "country": "\ud800"}}, "input 1 holds half of a surrogate pair"),
    ],
)
def test_columns_beside_the_text_are_needed(given, sentence):
    with pytest.raises(Refused) as refused:
        inputs.read(with_columns(), [given])
    assert str(refused.value).startswith(sentence)


def test_columns_beside_the_text_are_read():
    given = {"text": "a", "columns": {"price": 3, "country": None}}
    assert inputs.read(with_columns(), [given]) == [{"text": "a", "columns": {"price": 3.0, "country": None}}]


def test_openapi_describes_the_inputs_and_answers_of_the_task(shared):
    document = shared.client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]
    body = content["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["inputs"]["maxItems"] == 32
    assert shared.client.post("/predict", json=body["example"]).status_code == 200
    answer = content["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["predictions"]["items"]
    assert answer["properties"]["predicted"]["enum"] == ["bad", "good"]
    assert {"413", "408", "422", "429"} <= set(content["responses"])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "inputs", "a"]), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps({"inputs": [value]}).encode()))
def test_no_body_is_an_unexpected_error(shared, body):
    answer = shared.client.post("/predict", content=body, headers=JSON)
    assert answer.status_code in (200, 400, 422)
    assert ("error" in answer.json()) == (answer.status_code != 200)


def test_a_model_that_has_crashed_answers_the_next_request(own):
    running = own(Model(fitted_task()))
    assert running.predict("crash").status_code == 500
    assert running.predict("even").status_code == 200


def service_of(name):
    return Service(Model(fitted_task(name)), "model", Limits(), frozenset())


def test_texts_of_several_lengths_are_predicted_before_the_first_request():
    service = service_of("classification")
    service.warm_up()
    (first,), *others = service.fitted.batches
    assert first == service.fitted.task.SAMPLE[0][0]
    assert [len(text.split()) for (text,) in others] == [*WORDS]
    assert max(rounded(words + 3) for words in WORDS) >= FEW  # up to the longest texts that such kernels are for


@pytest.mark.parametrize("name", ["relation", "qa", "pairs"])
def test_of_other_inputs_one_is_predicted_before_the_first_request(name):
    service = service_of(name)
    service.batcher.answer = lambda inputs: service.fitted.batches.append(inputs) or []
    service.warm_up()
    assert service.fitted.batches == [[service.fitted.task.SAMPLE[0][0]]]


def test_threads_do_not_wait_long_for_each_other(tmp_path, monkeypatch):
    before = sys.getswitchinterval()
    found = []
    stub = SimpleNamespace(run=lambda sockets: found.append(sys.getswitchinterval()))
    monkeypatch.setattr(run, "server", lambda service, token: stub)
    try:
        run.serve(Model(fitted_task()), tmp_path, "127.0.0.1", 0, None, Limits())
    finally:
        sys.setswitchinterval(before)
    assert found == [pytest.approx(run.SWITCH_SECONDS)]
