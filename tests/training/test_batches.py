import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.training.batches import by_length, epoch_order, step_rows


@given(rows=st.integers(1, 60), batch=st.integers(1, 70), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_epoch_sees_every_row_once(rows, batch, seed, epoch):
    steps = -(-rows // batch)
    seen = np.concatenate([step_rows(rows, batch, seed, epoch * steps + i) for i in range(steps)])
    assert sorted(seen.tolist()) == list(range(rows))
    assert seen.tolist() == epoch_order(rows, seed, epoch).tolist()


def test_epochs_and_seeds_differ_in_order():
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


@given(lengths=st.lists(st.integers(1, 40), max_size=80), budget=st.integers(1, 100))
def test_by_length_covers_all_rows_within_the_budget(lengths, budget):
    lengths = np.array(lengths, dtype=np.int64)
    batches = list(by_length(lengths, budget))
    assert sorted(np.concatenate([*batches, []]).tolist()) == list(range(len(lengths)))
    assert all(len(batch) == 1 or lengths[batch].sum() <= budget for batch in batches)
