"""What a loader refuses in a model's files, each in one sentence that names the folder."""

import json
import shutil
import time

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors.torch import load_file, save_file

from headstart.checkpoints import arrays, contents, folder, manifest, peft
from headstart.checkpoints.header import open_header
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn import lora
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.text import vocabulary
from headstart.text.tokenizer import load as load_tokenizer

QUERY, KEY = (f"bert.encoder.layer.0.attention.self.{name}.weight" for name in ("query", "key"))
ARGUMENTS = {"vocabulary": 64, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.1}


@pytest.fixture
def place(tmp_path):
    """A small sound classifier."""
    folder_made = tmp_path / "model"
    folder_made.mkdir()
    model = Model(Encoder(**ARGUMENTS), ClassificationHead(8, 2))
    folder.save(
        folder_made, model, vocabulary.train(["a cat"] * 5, 64, window=12), "bert", ARGUMENTS, HeadPlan(("no", "yes"))
    )
    return folder_made


def edit(path, change):
    table = load_file(path)
    change(table)
    save_file({name: value.contiguous() for name, value in table.items()}, path)


def configure(place, **changes):
    path = place / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.float8_e4m3fn])
def test_weights_of_other_kinds_of_numbers(place, kind):
    edit(place / "model.safetensors", lambda table: table.update({QUERY: table[QUERY].to(kind)}))
    with pytest.raises(CheckpointError, match=r"query.* holds numbers of the kind '.*'; only F32, F16, BF16, F64 are"):
        folder.load(place)


def test_parts_of_one_matrix_are_equal(place):
    def change(table):
        table[QUERY], table[KEY] = torch.cat([table[QUERY], table[KEY][:2]]), table[KEY][2:]

    edit(place / "model.safetensors", change)
    with pytest.raises(CheckpointError, match=r"query.* and what belongs to it have the shapes '\[\(10, 8\), \(6, 8\)"):
        folder.load(place)


def test_a_weight_under_two_names(place):
    edit(place / "model.safetensors", lambda t: t.update({QUERY.removeprefix("bert."): t[QUERY] + 1}))
    with pytest.raises(CheckpointError, match=r"holds both '.*' and '.*', two names of the same weight; fetch"):
        folder.load(place)


@pytest.mark.parametrize(
    "names", [["classifier.weight"], ["classifier.bias"], ["classifier.weight", "classifier.bias"]]
)
def test_a_classifier_that_is_not_there(place, names):
    edit(place / "model.safetensors", lambda table: [table.pop(name) for name in names])
    with pytest.raises(CheckpointError, match=r"has no classifier \('head\.output\.\w+'\), though config\.json says"):
        folder.load(place)
    assert folder.load(place, head=HeadPlan.numbered(3)).fresh == ("head.output.bias", "head.output.weight")


def test_a_classifier_without_its_dense_layer(place):
    edit(place / "model.safetensors", lambda table: table.pop("bert.pooler.dense.weight"))
    with pytest.raises(CheckpointError, match=r"has a classifier without 'head\.dense\.weight'; fetch the model again"):
        folder.load(place)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": "BertForSequenceClassification"}, "'architectures' is .*, but must list names of classes"),
        ({"pad_token_id": 64}, "'pad_token_id' is 64, but must be a whole number from 0 to below 64"),
        ({"pad_token_id": True}, "'pad_token_id' is True, but must be"),
        ({"num_hidden_layers": 1000}, "asks for 1000 layers, but .* holds .* weights; the two files do not belong"),
        ({"id2label": {"0": "a"}}, "'id2label' must name each of the classifier's 2 classes once"),
    ],
)
def test_settings_that_do_not_fit_name_the_folder(place, changes, reason):
    configure(place, **changes)
    with pytest.raises(CheckpointError, match=rf"{place}.*{reason}"):
        folder.load(place)


def test_giant_sizes_are_refused_at_once(place):
    open_header(place)
    configure(place, hidden_size=10**6, intermediate_size=10**6, vocab_size=10**7, max_position_embeddings=10**6)
    began = time.process_time()
    with pytest.raises(CheckpointError, match=r"config\.json asks for \(10000000, 1000000\)"):
        folder.load(place, head=HeadPlan.numbered(10**6))
    assert time.process_time() - began < 1


def test_two_tokens_with_one_id(place):
    path = place / "tokenizer.json"
    stored = json.loads(path.read_text())
    first, second = list(stored["model"]["vocab"])[:2]
    stored["model"]["vocab"][second] = stored["model"]["vocab"][first]
    path.write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json must give each token .* an id of its own; fetch"):
        load_tokenizer(place, 12)


# --- adapters ------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter(place):
    """An adapter of the classifier."""
    loaded = folder.load(place)
    lora.insert(loaded.model, ("query",), 2, 4.0, 0.0)
    updates = lora.Updates(2, 4.0, 0.0, lora.merge(loaded.model))
    peft.write(
        place.parent / "adapter", updates, loaded.model.head, rooms.load("checkpoints.families", "bert"), str(place)
    )
    return place.parent / "adapter"


def test_an_adapter_beside_a_whole_model(place, adapter):
    for path in adapter.iterdir():
        shutil.copy(path, place)
    with pytest.raises(
        CheckpointError, match=r"holds an adapter \(adapter_config\.json\) and a whole model \(model\.s"
    ):
        folder.load(place)


@pytest.mark.parametrize("door", [folder.load, lambda place: contents.sha256(str(place))])
def test_an_adapter_of_an_adapter_and_of_itself(adapter, door):
    path = adapter / peft.CONFIG
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"base_model_name_or_path": str(adapter)}))
    with pytest.raises(CheckpointError, match=r"changes the model '.*', which is an adapter itself; merge that one"):
        door(adapter)


def test_an_adapter_with_an_infinite_scale(adapter):
    path = adapter / peft.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": float("inf")}))
    with pytest.raises(CheckpointError, match="'lora_alpha' divided by 'r' is inf; save the adapter again"):
        folder.load(adapter)


def test_an_adapter_of_whole_numbers_or_of_nothing(adapter):
    path = adapter / peft.WEIGHTS
    edit(path, lambda table: table.update({name: value.long() for name, value in table.items() if "lora_" in name}))
    with pytest.raises(
        CheckpointError, match="holds numbers of the kinds 'I64'; only F32, F16, BF16, F64 are supported"
    ):
        folder.load(adapter)
    edit(path, lambda table: [table.pop(name) for name in list(table) if "lora_" in name])
    with pytest.raises(CheckpointError, match=r"changes no matrix of .*; save the adapter again"):
        folder.load(adapter)


# --- what contenders save ------------------------------------------------------------------------------------


def test_arrays_are_those_that_were_saved(tmp_path):
    path = tmp_path / "x.safetensors"
    shapes = {"a": (2,)}
    with pytest.raises(CheckpointError, match=r"no x\.safetensors in .*: copy the model's folder again"):
        arrays.read(path, shapes, np.float32, {})
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(CheckpointError, match=r"x\.safetensors is damaged \("):
        arrays.read(path, shapes, np.float32, {})
    for table, reason in (
        ({"b": np.ones(2)}, "holds the arrays 'b' instead of a"),
        ({"a": np.ones(3)}, r"'a' is F64 of shape \(3,\) instead of floating-point numbers of shape \(2,\)"),
        ({"a": np.ones(2, dtype=int)}, r"'a' is I64 of shape \(2,\) instead of"),
        ({"a": np.array([1, np.inf])}, "'a' holds values that are not finite"),
    ):
        safetensors.numpy.save_file(table, path)
        with pytest.raises(CheckpointError, match=reason):
            arrays.read(path, shapes, np.float32, {})
    safetensors.numpy.save_file({"a": np.ones(2, dtype=np.float16), "b": np.ones(1)}, path)
    stored = arrays.read(path, shapes, np.float32, {"b": (1,)})
    assert {name: array.dtype for name, array in stored.items()} == {"a": np.float32, "b": np.float32}


@pytest.mark.parametrize("classes", [("yes", "no"), ("no", "yes", "more")])
def test_a_saved_model_scores_the_classes_of_its_task(place, classes):
    manifest.write(place, "scratch", Classification(classes), {"trained_parameters": 3})
    with pytest.raises(CheckpointError, match=r"classes 'no, yes' where 'headstart\.json' asks for "):
        model_folder.open_model(place)


def test_a_saved_model_says_what_learnt(place):
    manifest.write(place, "scratch", Classification(("no", "yes")), {})
    with pytest.raises(CheckpointError, match=r"'headstart\.json' does not say how many weights learnt"):
        model_folder.open_model(place)
