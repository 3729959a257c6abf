"""Entities are learnt as transformers' token classifier learns them: same ids, same labels, same losses in training."""

import numpy as np
import torch

from headstart.checkpoints import folder
from headstart.checkpoints.header import find_family
from headstart.core.records import Rows
from headstart.core.sequences import IGNORED
from headstart.nn import heads
from headstart.nn.encoder import Encoder
from headstart.nn.heads import Model
from headstart.nn.packed import pack
from headstart.tasks._words import divided
from headstart.tasks.ner import Ner
from headstart.text import tags, vocabulary

WORDS = [
    (["Anna", "Li", "'s", "unbelievable", "trip"], ["B-PER", "I-PER", "O", "O", "O"]),
    (["Rome", "don't", "北", "京", "@x"], ["B-LOC", "O", "B-LOC", "I-LOC", "O"]),
    (["ok"], ["O"]),
]


def test_training_has_the_losses_of_transformers(tmp_path):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    read = [Ner().read({"text": words, "entities": names}) for words, names in WORDS]
    rows = Rows(("1", "2", "3"), tuple(value for value, _ in read), tuple(target for _, target in read))
    task = Ner().fitted(rows)
    tokenizer = vocabulary.train([divided(value).text for value in rows.inputs], 60, window=32)
    shape = {"vocabulary": tokenizer.size, "width": 16, "layers": 2, "heads": 2, "feed_forward": 16, "window": 32}
    torch.manual_seed(0)
    plan = task.head()
    arguments = {**shape, "dropout": 0.0}
    ours = Model(Encoder(**arguments), find_family("bert", "").head(arguments, plan, 0.0, "first"))
    folder.save(tmp_path, ours, tokenizer, "bert", arguments, plan)
    theirs = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert [theirs.config.id2label[number] for number in range(5)] == list(tags.bio(task.classes))

    fast = AutoTokenizer.from_pretrained(tmp_path)
    padded = fast([words for words, _ in WORDS], is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full(padded["input_ids"].shape, IGNORED)
    for number, (_, names) in enumerate(WORDS):
        before = None
        for place, word in enumerate(padded.word_ids(number)):
            if word is not None and word != before:
                labels[number, place] = theirs.config.label2id[names[word]]
            before = word
    mask = padded["attention_mask"].bool()

    encoded = task.encode(rows.inputs, tokenizer)
    targets = task.targets(rows, encoded)
    assert encoded.tokens.tolist() == padded["input_ids"][mask].tolist()
    assert targets.values.tolist() == labels[mask].tolist()

    batch = pack(encoded.tokens, encoded.boundaries, np.arange(3))
    expected = targets.take(batch.order.numpy()).values
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.5) for model in (ours, theirs)]
    for _ in range(5):
        own = ours.head.loss(ours(batch), torch.from_numpy(expected), batch.boundaries) / heads.count(expected)
        other = theirs(**padded, labels=labels).loss
        assert abs(float(own.detach()) - float(other.detach())) < 1e-4
        for loss, optimizer in zip((own, other), optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert float(own.detach()) < 1.5
