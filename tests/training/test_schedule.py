import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from headstart.core.errors import UsageError
from headstart.training.schedule import DECAYS, factor


@given(total=st.integers(1, 300), warmup=st.floats(0, 1), decay=st.sampled_from(DECAYS))
def test_factor_is_a_share_and_never_zero_while_training(total, warmup, decay):
    values = [factor(step, total, warmup=warmup, decay=decay) for step in range(total)]
    assert all(0 < value <= 1 for value in values)


@pytest.mark.parametrize(
    ("decay", "reference"),
    [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)],
)
def test_decays_follow_the_reference(decay, reference):
    """Warm-up here starts one step up, since a first step at rate 0 would teach nothing."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = reference(optimizer, num_warmup_steps=20, num_training_steps=100)
    theirs = []
    for _ in range(100):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    ours = [factor(step, 100, warmup=0.2, decay=decay) for step in range(100)]
    assert ours[:20] == pytest.approx(theirs[1:21])
    assert ours[20:] == pytest.approx(theirs[20:])


def test_step_decay_drops_to_a_tenth_late():
    assert [factor(step, 90, warmup=0.0, decay="step") for step in (0, 59, 60, 89)] == [1.0, 1.0, 0.1, 0.1]


def test_unknown_decay_is_refused():
    with pytest.raises(UsageError, match="no decay 'cosin'; did you mean 'cosine'"):
        factor(0, 10, decay="cosin")
