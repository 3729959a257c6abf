"""LoRA adapters between here and PEFT, over the same base model."""

import json
import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import peft as theirs
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification

from headstart.checkpoints import folder, peft
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError, UsageError
from headstart.nn import lora
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack
from headstart.text import vocabulary

FAMILIES = rooms.names("checkpoints.families")
ARGUMENTS = {"vocabulary": 64, "width": 8, "layers": 2, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.0}
LABELS = ("bad", "fine", "good")
IDS = torch.arange(10, 22).view(2, 6)


def make(place, name, labels=LABELS):
    """A small model folder of a family."""
    family = rooms.load("checkpoints.families", name)
    arguments = {**ARGUMENTS, "epsilon": 1e-12}
    if family.neutral:
        arguments["types"] = 2 if "types" in family.keys else 0
        if "position_offset" not in family.neutral:
            arguments["position_offset"] = 2
        if "embedding_width" in family.keys:
            arguments["embedding_width"] = 4
    arguments |= family.always
    torch.manual_seed(0)
    model = Model(family.encoder(arguments), family.head(arguments, HeadPlan.numbered(3), 0.0))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(10)  # at the size of trained weights, so that layers do more than pass states on
    place.mkdir()
    tokenizer = vocabulary.train(["a cat"] * 5, 64, window=12)
    folder.save(
        place, model if labels else model.encoder, tokenizer, name, arguments, HeadPlan(labels) if labels else None
    )
    return place


def ours(model):
    """Our logits (or first tokens' states) of `IDS`."""
    batch = pack(IDS.flatten().numpy(), np.array([0, 6, 12]), np.arange(2))
    with torch.no_grad():
        model.eval()
        return model(batch) if isinstance(model, Model) else model(batch, first_only=True)


@pytest.fixture(params=FAMILIES)
def base(request, tmp_path):
    return make(tmp_path / "base", request.param)


@pytest.fixture
def bert(tmp_path):
    return make(tmp_path / "base", "bert")


def adapter(base, **changes):
    """An adapter that PEFT wrote, of matrices that the families call differently; and PEFT's logits with it."""
    names = {
        "query",
        "value",
        "q_lin",
        "v_lin",
        "intermediate.dense",
        "ffn.lin1",
        "Wqkv",
        "mlp.Wi",
        "attn.q",
        "attn.v",
        "albert_layers.0.ffn",
    }
    model = AutoModelForSequenceClassification.from_pretrained(base)
    present = [name for name in names if any(part.endswith(f".{name}") for part, _ in model.named_modules())]
    options = {"task_type": "SEQ_CLS", "r": 3, "lora_alpha": 6, "target_modules": present, "init_lora_weights": False}
    torch.manual_seed(1)
    tuned = theirs.get_peft_model(model, theirs.LoraConfig(**{**options, **changes})).eval()
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "modules_to_save" in name:
                weight.normal_(std=0.3)
        logits = tuned(input_ids=IDS).logits
    tuned.save_pretrained(base.parent / "adapter")
    return base.parent / "adapter", logits


@pytest.mark.parametrize("targets", [("query", "value"), ("key", "down"), tuple(lora.TARGETS)])
def test_what_is_written_opens_in_peft_with_the_same_logits(base, targets, tmp_path):
    checkpoint = folder.load(base)
    before = ours(checkpoint.model)
    lora.insert(checkpoint.model, targets, rank=2, alpha=5.0, dropout=0.1)
    with torch.no_grad():
        for name, weight in checkpoint.model.named_parameters():
            if ".updates." in name or name.startswith("head."):
                weight.normal_(std=0.3)
    learnt = ours(checkpoint.model)
    updates = lora.Updates(2, 5.0, 0.1, lora.merge(checkpoint.model))
    family = folder.find_family(checkpoint.family, "")
    peft.write(tmp_path / "adapter", updates, checkpoint.model.head, family, checkpoint.source)
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [peft.CONFIG, peft.WEIGHTS]
    laid_over = theirs.PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(base), tmp_path / "adapter"
    ).eval()
    with torch.no_grad():
        expected = laid_over(input_ids=IDS).logits
    torch.testing.assert_close(learnt, expected, atol=1e-5, rtol=0)
    assert not torch.allclose(learnt, before, atol=1e-2)
    again = folder.load(tmp_path / "adapter")
    torch.testing.assert_close(ours(again.model), expected, atol=1e-5, rtol=0)
    assert again.head.labels == LABELS


def test_what_peft_writes_opens_here_with_the_same_logits(base):
    place, logits = adapter(base)
    loaded = folder.load(place)
    torch.testing.assert_close(ours(loaded.model), logits, atol=1e-5, rtol=0)
    assert (loaded.head.labels, loaded.fresh, loaded.ignored) == (LABELS, (), ())
    fresh = folder.load(place, head=HeadPlan.numbered(5))
    assert fresh.fresh == ("head.output.bias", "head.output.weight")
    for name, weight in loaded.model.encoder.state_dict().items():
        assert torch.equal(weight, fresh.model.encoder.state_dict()[name])


def test_an_adapter_of_an_encoder_alone(tmp_path):
    base = make(tmp_path / "base", "bert", labels=())
    config = theirs.LoraConfig(r=2, target_modules=["key"], init_lora_weights=False)
    tuned = theirs.get_peft_model(AutoModel.from_pretrained(base), config).eval()
    tuned.save_pretrained(tmp_path / "adapter")
    with torch.no_grad():
        expected = tuned(input_ids=IDS).last_hidden_state[:, 0]
    torch.testing.assert_close(ours(folder.load(tmp_path / "adapter").model), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("source", "name", "revision"),
    [("hf://owner/name", "owner/name", None), ("hf://owner/name@v2", "owner/name", "v2"), ("minilm", "minilm", None)],
)
def test_the_base_is_named_as_peft_and_we_find_it(source, name, revision, tmp_path):
    head = ClassificationHead(8, 2)
    peft.write(tmp_path / "adapter", lora.Updates(2, 4.0, 0.0, {}), head, folder.find_family("bert", ""), source)
    config = json.loads((tmp_path / "adapter" / peft.CONFIG).read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (name, revision)
    assert peft.find(tmp_path / "adapter") == peft.Adapter(tmp_path / "adapter", source, 2.0)


def test_a_folder_without_an_adapter(bert):
    assert peft.find(bert) is None


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"use_dora": True}, {"use_rslora": True}, {"bias": "all"}, {"rank_pattern": {"query": 2}}]
)
def test_kinds_of_lora_that_compute_something_else(bert, changes):
    place, _ = adapter(bert, **changes)
    with pytest.raises(
        CheckpointError,
        match=f"'{next(iter(changes))}' is .*, which is more than plain LoRA; merge the adapter with PEFT",
    ):
        folder.load(place)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"r": 0, "lora_alpha": 1, "base_model_name_or_path": "x"}'])
def test_settings_that_are_damaged(bert, text):
    place, _ = adapter(bert)
    (place / peft.CONFIG).write_text(text)
    with pytest.raises(CheckpointError, match=r"adapter_config\.json is damaged, or of an adapter that is no LoRA"):
        folder.load(place)


def test_a_base_that_is_not_there(bert):
    place, _ = adapter(bert)
    path = place / peft.CONFIG
    path.write_text(path.read_text().replace(str(bert), str(bert) + "-gone"))
    with pytest.raises(UsageError, match="no model folder '"):
        folder.load(place)


def test_an_adapter_without_weights(bert):
    place, _ = adapter(bert)
    (place / peft.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors or adapter_model\.bin in .*: fetch"):
        folder.load(place)


def edit(place, change):
    weights = load_file(place / peft.WEIGHTS)
    change(weights, next(name for name in weights if name.endswith(peft.DOWN)))
    save_file(weights, place / peft.WEIGHTS)


def test_an_adapter_of_a_deeper_model(bert):
    place, _ = adapter(bert)
    edit(place, lambda weights, name: weights.update({name.replace("layer.0", "layer.7"): weights.pop(name)}))
    with pytest.raises(CheckpointError, match=r"layer\.7.* changes nothing that .* has; the two do not belong"):
        folder.load(place)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights, name: weights.update({name: weights[name][:, :5].clone()}),
        lambda weights, name: weights.update({name: weights[name][:2].clone()}),
        lambda weights, name: weights.pop(name.replace(peft.DOWN, peft.UP)),
        lambda weights, name: weights.pop(name),
    ],
)
def test_factors_that_make_no_matrix_of_the_base(bert, change):
    place, _ = adapter(bert)
    edit(place, change)
    with pytest.raises(CheckpointError, match=r"has factors .*, which make no matrix \(.*\) as .* has; the two do not"):
        folder.load(place)
