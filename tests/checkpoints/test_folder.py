"""Model folders: what is refused and why, and the packaged MiniLM."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.checkpoints import folder, hub
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError, UsageError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack
from headstart.text import vocabulary

ARGUMENTS = {"vocabulary": 64, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.1}
QUERY = "bert.encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def place(tmp_path):
    """A small sound model folder."""
    model = Model(Encoder(**ARGUMENTS), ClassificationHead(8, 2))
    folder.save(
        tmp_path, model, vocabulary.train(["a cat"] * 5, 64, window=12), "bert", ARGUMENTS, HeadPlan(("no", "yes"))
    )
    return tmp_path


def edit_config(place, **changes):
    path = place / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def edit_weights(place, change):
    path = place / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def test_saving_writes_the_four_files_and_nothing_else(place):
    names = sorted(path.name for path in place.iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert folder.load(str(place)).head.labels == ("no", "yes")


def test_a_folder_without_config(tmp_path):
    with pytest.raises(CheckpointError, match=r"no config\.json in .*: this is not a model folder"):
        folder.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_config_that_is_no_json(place, text):
    (place / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json is not readable JSON"):
        folder.load(place)


def test_a_config_of_another_kind_of_json(place):
    (place / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"config\.json contains no JSON object"):
        folder.load(place)


def test_a_model_type_that_is_no_text(place):
    edit_config(place, model_type=3)
    with pytest.raises(CheckpointError, match="does not say which 'model_type' it is of"):
        folder.load(place)


def test_a_config_without_a_model_type_is_read_by_the_prefix_of_the_weights(place):
    edit_config(place, model_type=None, architectures=None)
    assert folder.load(place).family == "bert"


def test_neither_a_model_type_nor_a_prefix(place):
    edit_config(place, model_type=None)
    edit_weights(
        place, lambda weights: [weights.update({n.removeprefix("bert."): weights.pop(n)}) for n in list(weights)]
    )
    with pytest.raises(CheckpointError, match="does not say which 'model_type' it is of"):
        folder.load(place)


@pytest.mark.parametrize(
    ("model_type", "said"),
    [("clip", r"; Headstart reads .*bert, .*roberta"), ("gpt2", r", which writes texts.* need an encoder: .*bert, .*")],
)
def test_an_unknown_family(place, model_type, said):
    edit_config(place, model_type=model_type)
    with pytest.raises(CheckpointError, match=f"is of type '{model_type}'{said}"):
        folder.load(place)


@pytest.mark.parametrize("labels", [{"0": "a"}, {"0": "a", "1": "a"}, {"0": "a", "2": "b"}, ["a", "b"], {"0": []}])
def test_labels_that_do_not_fit_the_classifier(place, labels):
    edit_config(place, id2label=labels)
    with pytest.raises(CheckpointError, match="'id2label' must name each of the classifier's 2 classes once"):
        folder.load(place)


def test_no_weights(place):
    (place / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors or pytorch_model\.bin in .*: fetch the model"):
        folder.load(place)


def test_malformed_weights(place):
    (place / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        folder.load(place)


def test_truncated_weights(place):
    path = place / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        folder.load(place)


def test_a_missing_weight(place):
    edit_weights(place, lambda weights: weights.pop(QUERY))
    with pytest.raises(CheckpointError, match=f"has no '{QUERY}': it is damaged or no bert model"):
        folder.load(place)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(place, value):
    edit_weights(place, lambda weights: weights[QUERY].view(-1)[3:4].fill_(value))
    with pytest.raises(CheckpointError, match=f"'{QUERY}' holds values that are not finite"):
        folder.load(place)


def test_weights_of_another_shape(place):
    edit_config(place, intermediate_size=32)
    with pytest.raises(CheckpointError, match=r"has shape \(16, 8\), but config\.json asks for \(32, 8\)"):
        folder.load(place)


def test_a_config_of_giant_sizes_is_refused_before_memory_is_taken(place):
    edit_config(place, vocab_size=10_000_000, intermediate_size=1_000_000, max_position_embeddings=1_000_000)
    with pytest.raises(CheckpointError, match=r"config\.json asks for \(10000000, 8\)"):
        folder.load(place)


def test_a_tokenizer_of_another_model(place):
    vocabulary.train(["many other words with many letters, quick brown fox"] * 9, 90, window=12).save(place)
    with pytest.raises(CheckpointError, match=r"the tokenizer has .* tokens but the model only 64"):
        folder.load(place)


def test_saving_as_an_unknown_family(place):
    ours = folder.load(place)
    with pytest.raises(CheckpointError, match="the model is of type 'gpt'"):
        folder.save(place, ours.model, ours.tokenizer, "gpt", ours.arguments, ours.head)


def test_old_names_of_norms_and_position_tables_are_understood(place):
    before = folder.load(place).model.state_dict()

    def age(weights):
        for name in list(weights):
            if "LayerNorm" in name:
                weights[name.replace("weight", "gamma").replace("bias", "beta")] = weights.pop(name)
        weights["bert.embeddings.position_ids"] = torch.arange(12)[None]

    edit_weights(place, age)
    ours = folder.load(place)
    assert ours.ignored == ours.fresh == ()
    assert all(torch.equal(before[name], weight) for name, weight in ours.model.state_dict().items())


def test_half_precision_is_read_as_single(place):
    edit_weights(place, lambda weights: weights.update({name: w.bfloat16() for name, w in weights.items()}))
    assert {weight.dtype for weight in folder.load(place).model.parameters()} == {torch.float32}


def test_the_model_outlives_its_file(place):
    ours = folder.load(place)
    before = {name: weight.clone() for name, weight in ours.model.state_dict().items()}
    (place / "model.safetensors").write_bytes(bytes(10_000))
    assert all(torch.equal(before[name], weight) for name, weight in ours.model.state_dict().items())


def test_an_unknown_source():
    with pytest.raises(UsageError, match="no model folder 'minilmm'; did you mean 'minilm'"):
        folder.load("minilmm")


@pytest.fixture(scope="module")
def minilm():
    try:
        return hub.find("minilm")
    except UsageError as error:
        pytest.skip(str(error))  # the packaged weights are not installed: the message says how they are


def test_minilm_answers_as_in_transformers(minilm, tmp_path):
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    texts = ["A masterpiece.", "", "Colourless green ideas sleep furiously, said no [MASK] ever. " * 60, "naïve 日本"]
    ours = folder.load("minilm", head=HeadPlan.numbered(3))
    ours.model.eval()
    encoded = ours.tokenizer.encode(texts)
    batch = pack(encoded.tokens, encoded.boundaries, np.arange(len(texts)))
    padded = AutoTokenizer.from_pretrained(minilm)(texts, padding=True, truncation=True, return_tensors="pt")
    mask = padded["attention_mask"].bool()
    assert encoded.lengths.tolist() == mask.sum(1).tolist()
    assert encoded.lengths.max() == ours.tokenizer.window == 512
    folder.save(tmp_path, ours.model, ours.tokenizer, ours.family, ours.arguments, HeadPlan(("a", "b", "c")))
    with torch.no_grad():
        expected = AutoModel.from_pretrained(minilm).eval()(**padded).last_hidden_state
        hidden = ours.model.encoder(batch)
        logits = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()(**padded).logits
        ours_logits = ours.model(batch)
    rows = [expected[i, mask[i]] for i in batch.order.tolist()]
    torch.testing.assert_close(hidden, torch.cat(rows), atol=1e-4, rtol=0)
    torch.testing.assert_close(ours_logits, logits[batch.order], atol=1e-4, rtol=0)
    assert ours.fresh == ("head.output.bias", "head.output.weight")
    assert ours.ignored == ()


def test_opening_a_model_does_not_load_torchs_compiler(place):
    code = f"import sys; from headstart.checkpoints import folder; folder.load({str(place)!r}); "
    code += "print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
