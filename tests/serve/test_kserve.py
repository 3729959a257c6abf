"""The routes of KServe V2."""

import json

import numpy as np
import pytest
from tests.serve.test_predict import Answering, with_columns

from headstart.core.records import Predictions
from headstart.serve import kserve
from headstart.serve.limits import Limits, Refused
from headstart.serve.service import Service

INFER = "/v2/models/reviews/infer"
TENSOR = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["even", "odd"]}


def test_the_server_and_the_model_describe_themselves(shared):
    get = shared.client.get
    assert get("/v2").json()["name"] == "headstart"
    assert get("/v2/health/live").json() == {"live": True}
    assert get("/v2/health/ready").json() == {"ready": True}
    assert get("/v2/models/reviews/ready").json() == {"name": "reviews", "ready": True}
    assert get("/v2/models/others").status_code == 404
    model = get("/v2/models/reviews").json()
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in model["outputs"]] == ["predicted", "confidence", "scores"]


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_tensors_are_answered_by_tensors(shared, shape):
    body = {"id": "7", "inputs": [{**TENSOR, "shape": shape}]}
    answer = shared.client.post(INFER, json=body).json()
    assert answer == {
        "model_name": "reviews",
        "id": "7",
        "outputs": [
            {"name": "predicted", "datatype": "BYTES", "shape": [2], "data": ["good", "bad"]},
            {"name": "confidence", "datatype": "FP64", "shape": [2], "data": [0.75, 0.75]},
            {
                "name": "scores",
                "datatype": "FP64",
                "shape": [2, 2],
                "data": [0.25, 0.75, 0.75, 0.25],
                "parameters": {"classes": '["bad", "good"]'},
            },
        ],
    }


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ([], "the body must be an object with a list of tensors, 'inputs'; see GET /v2/models/NAME."),
        (["text"], "each tensor must have 'name', 'shape', 'datatype' and 'data', the last one a flat list."),
        ([{**TENSOR, "shape": [3]}], "the tensor 'text' must have the shape [n] or [n, 1], and n values."),
        ([{**TENSOR, "shape": [1, 2]}], "the tensor 'text' must have the shape [n] or [n, 1], and n values."),
        ([{**TENSOR, "shape": [2.0]}], "the tensor 'text' must have the shape [n] or [n, 1], and n values."),
        ([TENSOR, TENSOR], "the tensor 'text' is there twice."),
        (
            [TENSOR, {"name": "a", "shape": [1], "datatype": "BYTES", "data": ["x"]}],
            "all tensors of a request must have the same length.",
        ),
        ([{**TENSOR, "name": "txt"}], "input 1 has an unknown key 'txt'; did you mean 'text'?"),
        ([{**TENSOR, "shape": [0], "data": []}], "a request has 1 to 32 inputs, and this one has 0;"),
    ],
)
def test_what_is_wrong_with_tensors_is_one_sentence(shared, tensors, sentence):
    answer = shared.client.post(INFER, json={"inputs": tensors})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(sentence)


def service(name, predictions):
    return Service(Answering(name, predictions), "m", Limits(), frozenset())


def test_several_labels_are_written_as_json():
    one = service("multilabel", Predictions((("noise",),), ("battery", "noise"), np.array([[0.25, 0.75]])))
    predicted, scores = kserve.outputs(one, one.batcher.answer(["a"]))
    assert json.loads(predicted["data"][0]) == ["noise"]
    assert scores["data"] == [0.25, 0.75]


def test_numbers_are_numbers():
    one = service("regression", Predictions((2.5,)))
    assert kserve.outputs(one, one.batcher.answer(["a"])) == [
        {"name": "predicted", "datatype": "FP64", "shape": [1], "data": [2.5]}
    ]
    assert kserve.described(one)["outputs"] == [{"name": "predicted", "datatype": "FP64", "shape": [-1]}]


def test_columns_beside_the_text_are_tensors():
    one = service("classification", Predictions(("a",)))
    one.fitted.task = with_columns()
    price = {"name": "price", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}
    country = {"name": "country", "shape": [2], "datatype": "BYTES", "data": ["DE", "FR"]}
    assert kserve.rows(one, {"inputs": [TENSOR, price, country]}) == [
        {"text": "even", "columns": {"price": 1.5, "country": "DE"}},
        {"text": "odd", "columns": {"price": 2, "country": "FR"}},
    ]
    with pytest.raises(Refused, match="'inputs'"):
        kserve.rows(one, None)
