"""Models saved by the rows of the table of words that differ from their backbone's."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification

from headstart.checkpoints import _rows, folder
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.text import vocabulary

ARGUMENTS = {"vocabulary": 64, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.1}
LABELS = ("no", "yes")


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "base"
    place.mkdir()
    tokenizer = vocabulary.train(["a cat"] * 5, 64, window=12)
    folder.save(place, Encoder(**ARGUMENTS), tokenizer, "bert", ARGUMENTS, None)
    return place


def trained(base, tmp_path, rows=(3, 50)):
    """A classifier on the base with changed rows, and the folder it was saved in without the others."""
    checkpoint = folder.load(base, head=HeadPlan.numbered(2))
    with torch.no_grad():
        checkpoint.model.encoder.embeddings.word.weight[list(rows)] += 1.0
        for weight in checkpoint.model.head.parameters():
            weight.add_(0.5)
    place = tmp_path / "trained"
    place.mkdir(exist_ok=True)
    folder.save(place, checkpoint.model, checkpoint.tokenizer, "bert", ARGUMENTS, HeadPlan(LABELS), str(base))
    return checkpoint.model, place


def same(one, other):
    return all(torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())


def test_changed_rows_alone_are_saved_and_the_model_opens_as_it_was(base, tmp_path):
    model, place = trained(base, tmp_path)
    assert load_file(place / _rows.FILE)["index"].tolist() == [3, 50]
    assert not any("word_embeddings" in name for name in load_file(place / "model.safetensors"))
    again = folder.load(place)
    assert same(again.model, model)
    assert (again.head.labels, again.ignored, again.fresh) == (LABELS, (), ())
    assert (again.source, again.base) == (str(place), str(base))


def test_a_model_that_is_completed_depends_on_nothing_and_opens_in_transformers(base, tmp_path):
    model, place = trained(base, tmp_path)
    before = sum(path.stat().st_size for path in place.iterdir())
    left_out = _rows.left_out(tmp_path)
    folder.complete(place)
    assert not (place / _rows.FILE).exists()
    assert _rows.left_out(tmp_path) == 0
    after = sum(path.stat().st_size for path in place.iterdir())
    assert before + left_out == pytest.approx(after, abs=200)  # but for the headers
    (base / "model.safetensors").unlink()
    assert same(folder.load(place).model, model)
    _, news = BertForSequenceClassification.from_pretrained(place, output_loading_info=True)
    assert not news["missing_keys"]


def test_with_most_rows_changed_or_another_table_the_whole_is_saved(base, tmp_path):
    model, place = trained(base, tmp_path, range(40))
    assert not (place / _rows.FILE).exists()
    assert same(folder.load(place).model, model)
    other = Encoder(**{**ARGUMENTS, "vocabulary": 70})
    for source in (str(base), str(tmp_path / "nothing")):
        folder.save(place, other, folder.load(base).tokenizer, "bert", {**ARGUMENTS, "vocabulary": 70}, None, source)
        assert not (place / _rows.FILE).exists()


def test_a_backbone_that_is_gone_or_changed(base, tmp_path):
    _, place = trained(base, tmp_path)
    weights = load_file(base / "model.safetensors")
    save_file({name: weight + 1 for name, weight in weights.items()}, base / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"words of its backbone '.*base', which is another model now; run the"):
        folder.load(place)
    base.rename(tmp_path / "moved")
    with pytest.raises(
        CheckpointError,
        match=r"the words of its backbone '.*base', which cannot be opened: put it back, .*no model folder",
    ):
        folder.load(place)


def test_rows_that_are_damaged(base, tmp_path):
    _, place = trained(base, tmp_path)
    save_file({"index": torch.zeros(1)}, place / _rows.FILE)
    with pytest.raises(CheckpointError, match=r"words\.safetensors does not name its backbone; run the comparison"):
        folder.load(place)
    (place / _rows.FILE).write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match=r"words\.safetensors is damaged"):
        folder.load(place)


def test_a_table_in_the_cache_is_neither_copied_nor_written_to(base, tmp_path, monkeypatch):
    before = load_file(base / "model.safetensors")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    model, place = trained(base, tmp_path)
    assert same(folder.load(place).model, model)
    after = load_file(base / "model.safetensors")
    assert all(torch.equal(before[name], weight) for name, weight in after.items())
    # Two openings of one file share its pages until one of them writes.
    words = [folder.load(base).model.embeddings.word.weight for _ in range(2)]
    words[0].data[0] = 7.0
    assert not torch.equal(words[0][0], words[1][0])


def test_heads_that_read_means_keep_their_changed_rows(base, tmp_path):
    checkpoint = folder.load(base, head=HeadPlan.numbered(2), pooling="mean")
    checkpoint.model.encoder.embeddings.word.weight.data[7] += 1.0
    place = tmp_path / "means"
    place.mkdir()
    folder.save(place, checkpoint.model, checkpoint.tokenizer, "bert", ARGUMENTS, HeadPlan(LABELS), str(base))
    assert load_file(place / _rows.FILE)["index"].tolist() == [7]
    assert same(folder.load(place).model, checkpoint.model)


def test_a_head_of_its_own_shape_is_no_reason_to_write_the_table(base, tmp_path):
    model = Model(folder.load(base).model, ClassificationHead(8, 2))
    place = tmp_path / "own"
    place.mkdir()
    folder.save(place, model, folder.load(base).tokenizer, "bert", ARGUMENTS, HeadPlan(LABELS), str(base))
    assert load_file(place / _rows.FILE)["index"].tolist() == []
    assert same(folder.load(place).model, model)
