"""Weights as files: shards named by an index, and pickles converted by another process."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.checkpoints import _files, _pickles, _unpickle, _weights, folder
from headstart.core.errors import CheckpointError, DiskError
from headstart.nn.encoder import Encoder
from headstart.text import vocabulary

ARGUMENTS = {"vocabulary": 64, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.1}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def place(tmp_path):
    """A small sound model folder."""
    place = tmp_path / "model"
    place.mkdir()
    tokenizer = vocabulary.train(["a cat"] * 5, 64, window=12)
    folder.save(place, Encoder(**ARGUMENTS), tokenizer, "bert", ARGUMENTS, None)
    return place


def weights_of(place):
    return load_file(place / "model.safetensors")


def shard(place, save, name):
    """Divide a folder's weights into two files with an index."""
    weights = weights_of(place)
    (place / "model.safetensors").unlink()
    names = sorted(weights)
    files = {f"{name}-00001-of-00002": names[::2], f"{name}-00002-of-00002": names[1::2]}
    ending = "bin" if save is torch.save else "safetensors"
    for file, some in files.items():
        save({n: weights[n] for n in some}, place / f"{file}.{ending}")
    index = {"weight_map": {n: f"{file}.{ending}" for file, some in files.items() for n in some}}
    (place / f"{name}.{ending}.index.json").write_text(json.dumps(index))


def same(model, weights):
    """Whether a model holds the weights of a file, by the table that writing goes through."""
    family = folder.find_family("bert", "")
    path = os.path.join(os.environ["HEADSTART_CACHE"] + "-again.safetensors")
    _weights.write(path, model, family)
    again = load_file(path)
    return again.keys() == weights.keys() and all(torch.equal(again[n], weights[n]) for n in weights)


def test_shards_are_read_through_their_index(place):
    weights = weights_of(place)
    shard(place, save_file, "model")
    assert same(folder.load(place).model, weights)


def index_of(place, change):
    path = place / "model.safetensors.index.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.pop("weight_map"), "is not a readable index of weights"),
        (lambda index: index.update(weight_map=[]), "is not a readable index of weights"),
        (lambda index: index.update(weight_map={}), "must name .safetensors files beside it, and nothing else"),
        (lambda index: index["weight_map"].update(a="../../other.safetensors"), "must name .safetensors files beside"),
        (lambda index: index["weight_map"].update(a="/etc/other.safetensors"), "must name .safetensors files beside"),
        (lambda index: index["weight_map"].update(a="pytorch_model.bin"), "must name .safetensors files beside it"),
        (lambda index: index["weight_map"].update(a="model-3.safetensors"), "3.safetensors is missing, which model"),
    ],
)
def test_an_index_that_does_not_name_shards_beside_it(place, change, message):
    shard(place, save_file, "model")
    index_of(place, change)
    with pytest.raises(CheckpointError, match=message):
        folder.load(place)


def test_two_shards_with_the_same_tensor(place):
    shard(place, save_file, "model")
    first, second = sorted(place.glob("*-of-*"))
    save_file({**load_file(first), **load_file(second)}, second)
    with pytest.raises(CheckpointError, match=r"holds '.*' again, which another file has"):
        folder.load(place)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4665a76f6b7ef\nsize 133508397\n"


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json", "spm.model"])
def test_a_file_that_git_lfs_never_fetched(place, name):
    if name.endswith(".bin"):
        (place / "model.safetensors").unlink()
    (place / name).write_bytes(POINTER)
    with pytest.raises(
        CheckpointError, match=rf"{name} is only a pointer of Git LFS: run 'git lfs pull' in its folder"
    ):
        folder.load(place)


def test_a_damaged_shard(place):
    shard(place, save_file, "model")
    sorted(place.glob("*-of-*"))[0].write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match=r"00001-of-00002\.safetensors is damaged"):
        folder.load(place)


def test_pickled_weights_are_converted_once_by_another_process(place, capsys, monkeypatch):
    weights = weights_of(place)
    (place / "model.safetensors").unlink()
    # As old files have it: norms' names, shared storage, views, whole numbers, half precision elsewhere.
    stored = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in weights.items()}
    stored["cls.predictions.decoder.weight"] = next(stored[name] for name in stored if "word_embeddings" in name)
    name = next(name for name in stored if "intermediate" in name and name.endswith("weight"))
    stored[name] = stored[name].t().contiguous().t()
    assert not stored[name].is_contiguous()
    stored["embeddings.position_ids"] = torch.arange(12)[None]
    torch.save(stored, place / "pytorch_model.bin")
    checkpoint = folder.load(place)
    assert same(checkpoint.model, weights)
    assert "plain tensors, read in a separate process and converted once" in capsys.readouterr().err
    monkeypatch.setattr(_pickles, "_convert", None)  # not called again
    assert same(folder.load(place).model, weights)
    assert capsys.readouterr().err == ""


@pytest.fixture
def in_process(monkeypatch):
    """Convert without a second process, whose torch takes seconds to load."""
    monkeypatch.setattr(_unpickle, "limit", lambda *_: None)
    monkeypatch.setattr(_pickles, "_convert", lambda files, folder: _unpickle.main(folder, 0, files))


def test_pickled_shards(place, in_process):
    weights = weights_of(place)
    shard(place, torch.save, "pytorch_model")
    assert same(folder.load(place).model, weights)


class Hostile:
    """A pickle of this leaves a file behind when it is opened by Python."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def pickled(place, stored):
    (place / "model.safetensors").unlink()
    torch.save(stored, place / "pytorch_model.bin")
    return place


def test_a_pickle_that_would_run_code_runs_none(place, tmp_path, cache):
    pickled(place, {"a": torch.zeros(2), "b": Hostile(tmp_path / "owned")})
    with pytest.raises(CheckpointError, match=r"cannot be read as plain tensors \(Trying to load.*mkdir.*blocked"):
        folder.load(place)
    assert not (tmp_path / "owned").exists()
    assert list(cache.rglob("*.safetensors")) == []


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([torch.zeros(2)], "it holds a list, not a table of tensors"),
        ({"a": 1}, "it holds no tensors under names"),
        ({"a": torch.zeros(1).expand(2**40)}, "its tensors would take 4,398,046,511,104 bytes, far more than the file"),
        ({"a": torch.full((2,), float("nan"))}, "'a' holds values that are not finite"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is a sparse or quantised tensor"),
    ],
)
def test_what_no_model_holds_is_refused(tmp_path, stored, message):
    torch.save(stored, tmp_path / "a.bin")
    with pytest.raises(SystemExit, match=message):
        _unpickle.convert(tmp_path / "a.bin", tmp_path / "a.safetensors")


def test_a_damaged_pickle(place, in_process):
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(SystemExit, match="Unsupported operand"):
        folder.load(place)


def test_memory_beyond_the_limit(tmp_path, monkeypatch):
    """Tensors that share storage take more than the file; each copy counts."""
    torch.save({"a": torch.zeros(1).expand(2**24)}, tmp_path / "a.bin")
    source = _pickles.SCRIPT.read_text().replace("TIMES, BESIDE = 4, 2**30", "TIMES, BESIDE = 0, 2**24")
    monkeypatch.setattr(_pickles, "SCRIPT", tmp_path / "script.py")
    (tmp_path / "script.py").write_text(source)
    with pytest.raises(CheckpointError, match=r"cannot be read as plain tensors \(.*(memory|Memory)"):
        _pickles.converted([tmp_path / "a.bin"])


def test_time_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(_pickles, "SECONDS", 0)
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.bin")
    with pytest.raises(CheckpointError, match="took longer than 0 seconds"):
        _pickles.converted([tmp_path / "a.bin"])


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.bin")
    with pytest.raises(DiskError, match=r"cannot write .* set HEADSTART_CACHE to a folder of your own"):
        _pickles.converted([tmp_path / "a.bin"])


def test_whole_weights_come_before_shards_and_pickles(place):
    torch.save({"a": torch.zeros(1)}, place / "pytorch_model.bin")
    (place / "model.safetensors.index.json").write_text("{")
    assert _files.find(place) == (place / "model.safetensors",)
