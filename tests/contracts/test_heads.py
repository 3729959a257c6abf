"""Every head of every family opens in transformers with the same outputs and losses, and theirs open here."""

import numpy as np
import pytest
import torch
import transformers
from tests.contracts.test_checkpoints import NAMES, TOLERANCE, byte_level, ragged, randomise, tiny
from torch.nn import functional as F
from transformers import AutoConfig

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.core.sequences import IGNORED, Ragged
from headstart.nn import heads
from headstart.nn.entities import EntityPairHead
from headstart.nn.heads import ClassificationHead, Model, SpanHead, TokenHead

PLANS = {
    "classes": HeadPlan(("a", "b", "c")),
    "labels": HeadPlan(("a", "b", "c"), problem="multi_label_classification"),
    "number": HeadPlan(("value",), problem="regression"),
    "tokens": HeadPlan(("O", "B-X", "I-X"), "ForTokenClassification"),
    "spans": HeadPlan(("start", "end"), "ForQuestionAnswering"),
}
LENGTHS = [3, 9, 1, 4, 4]


def their_class(plan):
    return getattr(transformers, f"AutoModel{plan.suffix}")


def targets_for(plan, rng):
    """Random targets, one row per sequence or token of `LENGTHS`, and transformers' arguments for them, padded."""
    if plan.suffix == "ForQuestionAnswering":
        places = np.array([[rng.integers(0, n), rng.integers(0, n)] for n in LENGTHS])
        return places, {
            "start_positions": torch.from_numpy(places[:, 0]),
            "end_positions": torch.from_numpy(places[:, 1]),
        }
    if plan.suffix == "ForTokenClassification":
        rows = [np.where(rng.random(n) < 0.3, IGNORED, rng.integers(0, 3, n)) for n in LENGTHS]
        padded = torch.full((len(LENGTHS), max(LENGTHS)), IGNORED)
        for number, row in enumerate(rows):
            padded[number, : len(row)] = torch.from_numpy(row)
        return np.concatenate(rows), {"labels": padded}
    if plan.problem == "single_label_classification":
        values = rng.integers(0, 3, len(LENGTHS))
    elif plan.problem == "regression":
        values = rng.normal(size=(len(LENGTHS), 1)).astype(np.float32)
    else:
        values = rng.integers(0, 2, (len(LENGTHS), 3)).astype(np.float32)
    return values, {"labels": torch.from_numpy(values)}


def compare(ours, theirs, plan):
    """Compare logits, and the mean loss, on random texts."""
    rng = np.random.default_rng(0)
    batch, padded, mask = ragged(LENGTHS)
    values, arguments = targets_for(plan, rng)
    with torch.no_grad():
        logits, answer = ours(batch), theirs(**padded, **arguments)
    by_token = plan.suffix != "ForSequenceClassification"
    if plan.suffix == "ForQuestionAnswering":
        expected = torch.stack([answer.start_logits, answer.end_logits], dim=-1)
    else:
        expected = answer.logits
    order = batch.order.tolist()
    expected = torch.cat([expected[i, mask[i]] for i in order]) if by_token else expected[batch.order]
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)
    ends = np.concatenate([[0], np.cumsum(LENGTHS)])
    per_token = plan.suffix == "ForTokenClassification"
    chosen = (Ragged(values, ends) if per_token else Ragged.single(values)).take(batch.order.numpy()).values
    loss = ours.head.loss(logits, torch.from_numpy(chosen), batch.boundaries) / heads.count(chosen)
    their_loss = answer.loss
    if plan.suffix == "ForQuestionAnswering":  # theirs also gives padding a share of the probability
        pairs = [(answer.start_logits, values[:, 0]), (answer.end_logits, values[:, 1])]
        rows = [
            F.cross_entropy(side[i, mask[i]], torch.tensor(at[i])) for side, at in pairs for i in range(len(LENGTHS))
        ]
        their_loss = torch.stack(rows).mean()
    torch.testing.assert_close(loss, their_loss, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("name", NAMES)
def test_heads_are_those_of_transformers_in_both_directions(name, kind, tmp_path):
    plan, family = PLANS[kind], rooms.load("checkpoints.families", name)
    config = AutoConfig.for_model(**family.config(tiny(family), plan, 0.1, pad=0), attn_implementation="eager")
    theirs = randomise(their_class(plan).from_config(config))
    theirs.save_pretrained(tmp_path / "theirs")
    byte_level().save(tmp_path / "theirs")
    ours = folder.load(tmp_path / "theirs")
    assert (ours.head, ours.fresh, ours.ignored) == (plan, (), ())
    ours.model.eval()
    compare(ours.model, theirs, plan)
    (tmp_path / "ours").mkdir()
    folder.save(tmp_path / "ours", ours.model, ours.tokenizer, ours.family, ours.arguments, plan)
    again = their_class(plan).from_pretrained(tmp_path / "ours").eval()
    compare(ours.model, again, plan)
    assert folder.load(tmp_path / "ours").head == plan


def test_a_problem_that_no_head_has(tmp_path):
    family = rooms.load("checkpoints.families", "bert")
    config = AutoConfig.for_model(**family.config(tiny(family), PLANS["classes"], 0.1, pad=0))
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    byte_level().save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("single_label_classification", "ranking"))
    with pytest.raises(
        CheckpointError, match=r"'problem_type' is 'ranking', but must be single_label_classification, "
    ):
        folder.load(tmp_path)


@pytest.mark.parametrize("kind", PLANS)
def test_no_constant_outputs_have_a_lower_loss(kind, rng):
    plan = PLANS[kind]
    values, _ = targets_for(plan, rng)
    targets, ends = torch.from_numpy(values), torch.from_numpy(np.concatenate([[0], np.cumsum(LENGTHS)]))
    outputs = len(plan.labels)
    head = heads.HEADS[plan.suffix](8, outputs) if plan.suffix in heads.HEADS else None
    head = head or ClassificationHead(8, outputs, problem=plan.problem)
    items = sum(LENGTHS) if head.reads_all else len(LENGTHS)
    constant = torch.zeros(outputs, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=200)

    def loss():
        optimizer.zero_grad()
        value = head.loss(constant.expand(items, -1), targets, ends)
        value.backward()
        return value

    optimizer.step(loss)
    assert head.constant_loss(targets, ends) == pytest.approx(loss().item(), rel=1e-3)


def test_huge_logits_of_spans_have_a_finite_loss():
    logits = torch.tensor([[1e4, -1e4], [0.0, 0.0], [3.0, 1.0]])
    targets, ends = torch.tensor([[1, 1], [0, 0]]), torch.tensor([0, 2, 3])
    expected = F.cross_entropy(logits[:2, 0][None], targets[:1, 0]) + F.cross_entropy(
        logits[:2, 1][None], targets[:1, 1]
    )
    torch.testing.assert_close(SpanHead(8, 2).loss(logits, targets, ends), expected / 2)


def test_the_loss_of_tokens_without_a_target_is_nothing():
    head, targets = TokenHead(8, 3), np.full(4, IGNORED)
    outputs = Ragged(np.zeros((4, 3), dtype=np.float32), np.array([0, 4]))
    assert heads.mean_loss(head, outputs, Ragged(targets, outputs.boundaries)) == 0.0
    assert heads.count(targets) == 0


def test_every_suffix_has_a_head():
    others = {"ForSequenceClassification", "ForConditionalGeneration", EntityPairHead.suffix}
    assert {*others, *heads.HEADS} == set(folder.SUFFIXES)
    assert all(isinstance(Model(torch.nn.Identity(), kind(8, 2)), Model) for kind in heads.HEADS.values())
