"""Packing, and hiding words."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.nn.packed import drop_words, pack


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 9))
def test_packing_keeps_every_text_whole(lengths, seed):
    boundaries = np.cumsum([0, *lengths])
    tokens = np.random.default_rng(seed).integers(0, 50, size=boundaries[-1]).astype(np.int32)
    rows = np.random.default_rng(seed).permutation(len(lengths))
    batch = pack(tokens, boundaries, rows)
    ends = [*batch.starts.tolist()[1:], len(batch.ids)]
    for place, (start, end) in enumerate(zip(batch.starts.tolist(), ends, strict=True)):
        row = rows[batch.order[place]]
        assert batch.ids[start:end].tolist() == tokens[boundaries[row] : boundaries[row + 1]].tolist()
        assert batch.positions[start:end].tolist() == list(range(end - start))
    assert [length for count, length in batch.groups for _ in range(count)] == sorted(lengths)


def test_word_dropout_spares_special_tokens_and_hits_its_rate():
    torch.manual_seed(0)
    tokens = np.array([2, *range(10, 2008), 3], dtype=np.int32)
    batch = pack(tokens, np.array([0, len(tokens)]), np.array([0]))
    dropped = drop_words(batch, 0.3, unknown=1, spared=[2, 3])
    assert (dropped.ids[0], dropped.ids[-1]) == (2, 3)
    assert abs((dropped.ids == 1).float().mean() - 0.3) < 0.05
    unchanged = dropped.ids != 1
    assert torch.equal(dropped.ids[unchanged], batch.ids[unchanged])
    assert torch.equal(drop_words(batch, 0.0, 1, [2, 3]).ids, batch.ids)
