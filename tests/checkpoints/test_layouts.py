"""Folders as models have them on their hubs: read, trained and saved, with the answers of transformers."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import hub_models
import numpy as np
import pytest
import torch
import transformers
from hub_tokenizers import BAD, GOOD, TEXTS

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.records import Rows, Run
from headstart.nn.packed import pack
from headstart.saved import model_folder

INPUTS = (*TEXTS, "", "  two   spaces", "Café CAFÉ", "x" * 60, "[MASK] and <mask>")
# Of those that sentence-transformers made, how one vector is made of a text's states.
POOLED = {"bge-small-en": "first", "gte-small": "mean", "all-mpnet-base-v2": "mean", "multilingual-e5-small": "mean"}


@pytest.fixture(params=hub_models.ALL)
def name(request):
    return request.param


@pytest.fixture
def place(name, tmp_path, monkeypatch, pickles_converted_here):
    """A model's folder."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    return hub_models.write(name, tmp_path / name)


def theirs(place, kind, plain):
    """One of transformers' classes; it cannot tell what a folder without a model_type holds, so it is named BERT's."""
    made = getattr(transformers, plain if "model_type" not in hub_models.json_of(place, "config.json") else kind)
    return made.from_pretrained(place)


def rows_of(encoded):
    return [encoded.tokens[a:b].tolist() for a, b in zip(encoded.boundaries, encoded.boundaries[1:], strict=False)]


def test_the_layout_is_read_as_transformers_reads_it(name, place):
    loaded = folder.load(place, head=HeadPlan.numbered(2), pooling="checkpoint")
    assert loaded.model.head.pooling == POOLED.get(name, "mean" if "Modern" in name else "first")
    encoded = loaded.tokenizer.encode(INPUTS)
    ids = rows_of(encoded)
    peer = theirs(place, "AutoTokenizer", "BertTokenizer")
    assert ids == [peer(text, truncation=True, max_length=loaded.tokenizer.window)["input_ids"] for text in INPUTS]
    batch = pack(encoded.tokens, encoded.boundaries, np.arange(len(INPUTS)))
    model = theirs(place, "AutoModel", "BertModel").float().eval()
    with torch.no_grad():
        states = [model(torch.tensor([row])).last_hidden_state[0] for row in ids]
        ours = loaded.model.eval().encoder(batch)
    torch.testing.assert_close(ours, torch.cat([states[number] for number in batch.order]), atol=1e-4, rtol=0)


def test_a_model_trained_from_the_layout_is_saved_for_transformers(place, tmp_path):
    texts = tuple(f"the film was {word}" for word in (*GOOD, *BAD))
    rows = Rows(texts, texts, ("good",) * len(GOOD) + ("bad",) * len(BAD))
    task = rooms.load("tasks", "classification").fitted(rows)
    options = {"strategy": "full", "backbone": str(place), "epochs": 1, "batch_rows": 5, "pooling": "first"}
    fitted = rooms.load("contenders", "finetuned", options).fit(rows, rows, task, Run(0, tmp_path / "run"))
    with model_folder.saving(tmp_path / "saved") as fresh:
        fitted.save(fresh)
    again = model_folder.open_model(tmp_path / "saved")
    expected = fitted.predict(INPUTS).probabilities
    np.testing.assert_allclose(again.predict(INPUTS).probabilities, expected, atol=1e-6)
    peer = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    most = folder.load(tmp_path / "saved").tokenizer.window
    with torch.no_grad():
        rows = [peer(text, truncation=True, max_length=most, return_tensors="pt") for text in INPUTS]
        wanted = torch.cat([model(**row).logits.softmax(-1) for row in rows]).numpy()
    np.testing.assert_allclose(expected, wanted, atol=1e-4)
