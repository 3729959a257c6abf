"""Speed changes no result: our steps against the padded reference's, the same weights, rows and order."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.nn.narrow import narrowed
from headstart.nn.packed import pack
from headstart.text import vocabulary
from headstart.training import gradients
from headstart.training.optimizer import adamw, clipped_step

STEPS, ROWS = 100, 8


@pytest.mark.parametrize("threads", [1, 2])
def test_a_hundred_losses_are_those_of_the_padded_reference(threads, tmp_path, rng, set_threads):
    set_threads(threads)
    torch.manual_seed(0)
    tokenizer = vocabulary.train(["a b c d e f g h"] * 9, 40, window=32)
    shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(
        vocab_size=40, max_position_embeddings=32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **shape
    )
    theirs = BertForSequenceClassification(config).train()
    theirs.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    model = folder.load(tmp_path).model
    texts = [rng.integers(5, 40, size=length) for length in rng.integers(2, 32, size=60)]
    labels = np.array([int(text[1] % 2) for text in texts])
    boundaries = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    peer = torch.optim.AdamW(theirs.parameters(), lr=1e-3, weight_decay=0.0)
    ours, reference = [], []
    with narrowed(model.encoder.embeddings.word, np.concatenate(texts)) as renumber, ExitStack() as stack:
        groups = rooms.load("strategies", "full", {"learning_rate": 1e-3, "layer_decay": 1.0}).prepare(model)
        optimizer = adamw(groups, 0.0)
        weights = [weight for group in groups for weight in group.weights.values()]
        tokens = renumber(np.concatenate(texts))

        def loss(rows):
            batch = pack(tokens, boundaries, rows)
            right = torch.from_numpy(labels[rows])[batch.order]
            return model.head.loss(model(batch), right, batch.boundaries) / len(rows)

        model.train()
        backward = stack.enter_context(gradients.backward(np.diff(boundaries), "cpu"))
        for step in range(STEPS):
            rows = rng.permutation(len(texts))[:ROWS]
            ours.append(backward(loss, rows, weights, 1, step).item())
            clipped_step(optimizer, weights, 1.0)
            longest = max(len(texts[row]) for row in rows)
            ids = torch.tensor([[*texts[row], *[0] * (longest - len(texts[row]))] for row in rows])
            their_loss = theirs(ids, attention_mask=(ids > 0).long(), labels=torch.from_numpy(labels[rows])).loss
            their_loss.backward()
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
            peer.step()
            peer.zero_grad()
            reference.append(their_loss.item())
    assert np.abs(np.subtract(ours, reference)).max() < 1e-4
    assert np.mean(ours[-10:]) < np.mean(ours[:10]) - 0.1  # they learnt something, so there was something to differ in
