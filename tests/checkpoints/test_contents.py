import json
import shutil

import pytest

from headstart.checkpoints import contents
from headstart.core.errors import UsageError


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "headstart.json"):
        (folder / name).write_text(name)
    return folder


def test_the_same_content_under_two_paths_is_the_same(model, tmp_path):
    shutil.copytree(model, tmp_path / "copy")
    assert contents.sha256(str(model)) == contents.sha256(str(tmp_path / "copy"))


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "model-2.safetensors", "headstart.json"]
)
def test_any_file_that_answers_depend_on_counts(model, name):
    before = contents.sha256(str(model))
    (model / name).write_text("changed")
    changed = contents.sha256(str(model))
    assert changed != before
    (model / name).rename(model / f"other-{name}")
    assert contents.sha256(str(model)) not in (before, changed)


@pytest.mark.parametrize("name", ["README.md", "pretraining.json", "int8.json", "pytorch_model.bin", ".lock"])
def test_notes_costs_and_weights_beside_safetensors_do_not(model, name):
    before = contents.sha256(str(model))
    (model / name).write_text("something")
    assert contents.sha256(str(model)) == before


def test_older_weights_count_where_they_are_the_only_ones(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    before = contents.sha256(str(model))
    (model / "pytorch_model.bin").write_text("changed")
    assert contents.sha256(str(model)) != before


def test_an_adapter_is_another_where_the_model_beneath_it_is(model, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"lora_alpha": 8, "r": 4, "base_model_name_or_path": str(model), "peft_type": "LORA"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    before = contents.sha256(str(adapter))
    (model / "model.safetensors").write_text("changed")
    assert contents.sha256(str(adapter)) != before


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no model folder"):
        contents.sha256(str(tmp_path / "none"))
