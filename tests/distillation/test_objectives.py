"""What a student matches, beside transformers' own tensors and plain loops over one text at a time."""

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F

from headstart.checkpoints import folder
from headstart.core.errors import UsageError
from headstart.distillation import objectives
from headstart.nn.attention import relations
from headstart.nn.encoder import Encoder
from headstart.nn.heads import SpanHead, TokenHead
from headstart.nn.packed import pack
from headstart.text import vocabulary

LENGTHS = (5, 3, 7, 3)


def encoder(width=24, layers=3, heads=2, seed=0, **more) -> Encoder:
    torch.manual_seed(seed)
    shape = {"vocabulary": 40, "width": width, "layers": layers, "heads": heads, "feed_forward": 32, "window": 16}
    made = Encoder(**shape, dropout=0.0, **more)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return made


@pytest.fixture
def batch(rng):
    tokens = rng.integers(0, 40, sum(LENGTHS)).astype(np.int32)
    return pack(tokens, np.cumsum([0, *LENGTHS]), np.arange(len(LENGTHS)))


def one_by_one(batch, states):
    """Cut packed ``(tokens, width)`` into texts."""
    return [states[a:b] for a, b in zip(batch.boundaries[:-1].tolist(), batch.boundaries[1:].tolist(), strict=True)]


def plain_scores(query, key, heads):
    size = query.shape[1] // heads
    parts = [slice(head * size, (head + 1) * size) for head in range(heads)]
    return torch.stack([query[:, part] @ key[:, part].T / size**0.5 for part in parts])


def test_states_and_scores_are_those_of_transformers(tmp_path):
    texts = ["the cat sat", "on a mat", "where it slept all day long"]
    tokenizer = vocabulary.train(texts, 60, window=16)
    arguments = {"vocabulary": tokenizer.size, "width": 24, "layers": 3, "heads": 2, "feed_forward": 32, "window": 16}
    torch.manual_seed(0)
    made = Encoder(**arguments).eval()
    folder.save(tmp_path, made, tokenizer, "bert", {**arguments, "dropout": 0.1}, None)
    peer = transformers.AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    encoded = tokenizer.encode(texts)
    for number in range(len(texts)):
        alone = pack(encoded.tokens, encoded.boundaries, np.array([number]))
        traced = objectives.trace(made, alone)
        theirs = peer(alone.ids[None], output_hidden_states=True, output_attentions=True)
        for ours, other in zip(traced.states, theirs.hidden_states, strict=True):
            torch.testing.assert_close(ours, other[0], atol=1e-5, rtol=1e-4)
        for ours, other in zip(traced.attention, theirs.attentions, strict=True):
            query, key, _ = ours.chunk(3, dim=1)
            (scores,) = relations(query, key, alone.groups, heads=2)
            torch.testing.assert_close(scores.softmax(-1), other, atol=1e-5, rtol=1e-4)


def test_relations_are_plain_products_of_each_text(batch):
    left, right = torch.randn(2, sum(LENGTHS), 24)
    products = [scores for group in relations(left, right, batch.groups, heads=3) for scores in group]
    for scores, one, other in zip(products, one_by_one(batch, left), one_by_one(batch, right), strict=True):
        torch.testing.assert_close(scores, plain_scores(one, other, 3))


def _asked(made, states):
    """Queries, keys and values of each layer from what it is given."""
    return [block.attention.qkv(hidden) for block, hidden in zip(made.layers, states, strict=False)]


@pytest.mark.parametrize("options", [{}, {"one_block": True}, {"distance_buckets": 8}], ids=str)
def test_outputs_are_those_of_the_trace(batch, options):
    made = encoder(**options)
    actual = objectives.outputs(made, batch, (0, 2, 3))
    whole = objectives.trace(made, batch)
    torch.testing.assert_close(actual, torch.cat([whole.states[number] for number in (0, 2, 3)], dim=1))
    torch.testing.assert_close(whole.states[-1], made(batch))
    torch.testing.assert_close(torch.stack(whole.attention), torch.stack(_asked(made, whole.states)))
    assert not actual.requires_grad
    assert all(not block.attention.qkv._forward_hooks for block in made.blocks)


@pytest.mark.parametrize("heads", [2, 3])  # as many as the teacher has, or others: then their means are matched
def test_tinybert_is_the_sum_of_plain_differences(batch, heads):
    student, teacher = encoder(width=12, layers=2, heads=heads), encoder(seed=1)
    matching = objectives.TinyBert(student, teacher, (1, 3))
    ours, theirs = objectives.trace(student, batch), objectives.trace(teacher, batch)
    given = dict(zip(matching.stages, theirs.states, strict=False))
    assert matching.stages == (0, 1, 2, 3)
    expected = F.mse_loss(ours.states[0] @ matching.embeddings.weight.T, theirs.states[0])
    for number, layer in ((1, 1), (2, 3)):
        expected = expected + F.mse_loss(ours.states[number] @ matching.states.weight.T, theirs.states[layer])
        texts = []
        for one, other in zip(
            one_by_one(batch, ours.attention[number - 1]), one_by_one(batch, theirs.attention[layer - 1]), strict=True
        ):
            mine = plain_scores(*one.chunk(3, dim=1)[:2], heads)
            its = plain_scores(*other.chunk(3, dim=1)[:2], 2)
            if heads != 2:
                mine, its = mine.mean(0), its.mean(0)
            texts.append((mine - its).square().mean())
        expected = expected + torch.stack(texts).mean()
    torch.testing.assert_close(matching(ours, given, batch.groups), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [2, 3])
def test_slopes_of_scores_are_those_of_automatic_differentiation(batch, heads):
    student, teacher = torch.randn(sum(LENGTHS), 3 * 12), torch.randn(sum(LENGTHS), 2 * 24)
    actual, expected = (student.clone().requires_grad_() for _ in range(2))
    (3 * objectives.scores_loss(actual, heads, teacher, 2, batch.groups)).backward()
    texts = []
    for one, other in zip(one_by_one(batch, expected), one_by_one(batch, teacher), strict=True):
        pair = plain_scores(*one.chunk(3, dim=1)[:2], heads), plain_scores(*other.chunk(2, dim=1), 2)
        mine, its = pair if heads == 2 else (side.mean(0) for side in pair)
        texts.append((mine - its).square().mean())
    (3 * torch.stack(texts).mean()).backward()
    torch.testing.assert_close(actual.grad, expected.grad)
    assert not actual.grad[:, 24:].any()


def test_tinybert_of_equal_widths_projects_nothing(batch):
    student, teacher = encoder(layers=2), encoder()
    assert not list(objectives.TinyBert(student, teacher, (1, 3)).parameters())
    same = objectives.TinyBert(teacher, teacher, (1, 2, 3))
    whole = objectives.trace(teacher, batch)
    assert same(whole, dict(enumerate(whole.states)), batch.groups).item() == pytest.approx(0, abs=1e-6)


def test_minilm_is_a_plain_divergence_of_relations(batch):
    student, teacher = encoder(width=16, layers=2), encoder(seed=1)
    matching = objectives.MiniLm(student, teacher)
    assert (matching.heads, matching.stages) == (8, (2, 3))
    assert not list(matching.parameters())
    ours, theirs = objectives.trace(student, batch), objectives.trace(teacher, batch)
    texts = []
    for one, other in zip(one_by_one(batch, ours.attention[-1]), one_by_one(batch, theirs.attention[-1]), strict=True):
        for mine, its in zip(one.chunk(3, dim=1), other.chunk(3, dim=1), strict=True):
            q, p = plain_scores(mine, mine, 8).softmax(-1), plain_scores(its, its, 8).softmax(-1)
            texts.append((p * (p.log() - q.log())).sum(-1).mean())
    expected = torch.stack(texts).sum() / len(LENGTHS)
    loss = matching(ours, {2: theirs.states[2], 3: theirs.states[3]}, batch.groups)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


def test_what_is_matched_teaches_the_student_alone(batch):
    student, teacher = encoder(width=12, layers=2), encoder(seed=1)
    for matching in (objectives.TinyBert(student, teacher, (1, 3)), objectives.MiniLm(student, teacher)):
        given = dict(enumerate(objectives.trace(teacher, batch).states))
        matching(objectives.trace(student, batch), {n: s.detach() for n, s in given.items()}, batch.groups).backward()
        assert all(weight.grad is None for weight in teacher.parameters())
        assert student.blocks[0].up.weight.grad.abs().sum() > 0
        student.zero_grad()


@pytest.mark.parametrize("heads", [2, 3])
@pytest.mark.parametrize("method", ["tinybert", "minilm"])
def test_matching_in_16_bits_differs_by_their_rounding(batch, method, heads):
    """Under autocast, as on a GPU; on the CPU, whose autocast casts the same products."""
    student, teacher = encoder(width=12, layers=2, heads=heads), encoder(seed=1)
    matching = objectives.MiniLm(student, teacher)
    if method == "tinybert":
        matching = objectives.TinyBert(student, teacher, (1, 3))
    given = {number: states.detach() for number, states in enumerate(objectives.trace(teacher, batch).states)}
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = matching(objectives.trace(student, batch), given, batch.groups)
        loss.float().backward()
        gradients.append(torch.cat([w.grad.flatten() for w in student.parameters() if w.grad is not None]))
        student.zero_grad()
    assert (gradients[1] - gradients[0]).norm() < 0.1 * gradients[0].norm()


def test_answers_are_compared_as_hinton_does(rng):
    logits, teacher = rng.normal(size=(2, 6, 3)) * 2
    soft = np.exp(teacher / 4) / np.exp(teacher / 4).sum(1, keepdims=True)
    ours = logits / 4 - np.log(np.exp(logits / 4).sum(1, keepdims=True))
    expected = 16 * (soft * (np.log(soft) - ours)).sum(1).mean()
    one, other = torch.from_numpy(logits).float(), torch.from_numpy(teacher).float()
    assert float(objectives.soft_loss(one, other, 4.0)) == pytest.approx(expected, rel=1e-4)
    assert float(objectives.soft_loss(one, other.log_softmax(-1), 4.0)) == pytest.approx(expected, rel=1e-4)


def test_inherited_embeddings_keep_what_a_narrower_table_can():
    teacher, whole, narrow = encoder(seed=1).embeddings, encoder(seed=2).embeddings, encoder(width=12).embeddings
    objectives.inherit(whole, teacher)
    objectives.inherit(narrow, teacher)
    for name in ("word", "position", "segment"):
        ours, theirs = getattr(whole, name).weight, getattr(teacher, name).weight
        torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, rtol=1e-3, atol=1e-3)
    values = torch.linalg.svdvals(teacher.word.weight)
    torch.testing.assert_close(torch.linalg.svdvals(narrow.word.weight), values[:12], rtol=1e-3, atol=1e-3)


def test_positions_that_a_family_does_not_use_are_left_behind():
    teacher, student = encoder(position_offset=2).embeddings, encoder(seed=3).embeddings
    objectives.inherit(student, teacher)
    ours, theirs = student.position.weight, teacher.position.weight[2:]
    torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("unifrom", "no layer map 'unifrom'; did you mean 'uniform'"),
        ("2+9", "must name one of the teacher's layers, 1 to 6, for each of the student's 2"),
        ("2+3+4", "for each of the student's 2; name as many"),
    ],
)
def test_a_layer_map_that_fits_no_layers_is_refused(wanted, message):
    with pytest.raises(UsageError, match=message):
        objectives.layer_map(wanted, 2, 6)


def test_more_layers_than_the_teacher_has_cannot_be_its_last():
    with pytest.raises(UsageError, match="'last' must name one of the teacher's layers, 1 to 2, for each of the"):
        objectives.layer_map("last", 3, 2)
    assert objectives.layer_map("2+2+1", 3, 2) == (2, 2, 1)


def test_soft_losses_of_several_labels_and_of_numbers():
    ours, theirs = torch.tensor([[0.5, -1.0]]), torch.tensor([[2.0, 0.0]])
    share, right = (ours / 2).sigmoid(), (theirs / 2).sigmoid()
    expected = -(right * share.log() + (1 - right) * (1 - share).log()).mean() * 4
    several = objectives.soft_loss(ours, theirs, 2.0, "multi_label_classification")
    torch.testing.assert_close(several, expected)
    torch.testing.assert_close(objectives.soft_loss(ours, theirs, 2.0, "regression"), torch.tensor((1.5**2 + 1) / 2))


def test_spans_are_compared_sequence_by_sequence(rng):
    lengths = (3, 1, 5)
    ours, theirs = (torch.from_numpy(rng.normal(size=(9, 2))).float() for _ in range(2))
    expected, start = 0.0, 0
    for length in lengths:
        for column in range(2):
            one, other = (side[start : start + length, column] / 2 for side in (ours, theirs))
            expected += 4 * float((other.softmax(0) * (other.log_softmax(0) - one.log_softmax(0))).sum())
        start += length
    boundaries = torch.tensor([0, 3, 4, 9])
    found = objectives.head_loss(SpanHead(4, 2), ours, theirs, torch.zeros(3, 2), boundaries, 2.0)
    torch.testing.assert_close(found, torch.tensor(expected / 6))


def test_tokens_without_a_target_teach_nothing(rng):
    ours, theirs = (torch.from_numpy(rng.normal(size=(4, 3))).float() for _ in range(2))
    head, boundaries = TokenHead(4, 3), torch.tensor([0, 4])
    found = objectives.head_loss(head, ours, theirs, torch.tensor([-100, 0, 2, -100]), boundaries, 1.0)
    torch.testing.assert_close(found, objectives.soft_loss(ours[1:3], theirs[1:3], 1.0))
    assert objectives.head_loss(head, ours, theirs, torch.full((4,), -100), boundaries, 1.0) == 0
