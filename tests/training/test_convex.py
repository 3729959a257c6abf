"""A linear head's optimum: the gradient of its objective is zero there, on random problems."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from headstart.training import convex


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_each_solution_is_the_optimum_of_its_regularised_problem(rng, classes, balanced):
    targets = np.append(np.arange(classes), rng.integers(0, classes, size=80) * (rng.random(80) < 0.8))
    features = rng.normal(size=(len(targets), 6)) * 5 + 3
    features[:, 0] += 8 * targets
    features[:, 5] = 2.0  # a constant one
    counted = compute_class_weight("balanced", classes=np.arange(classes), y=targets) if balanced else np.ones(classes)
    center, scale = features.mean(axis=0), np.where(features.std(axis=0) < 1e-9, 1.0, features.std(axis=0))
    seen = []
    for solution in convex.solutions(features, targets, balanced=balanced):
        seen.append(solution.strength)
        weight = torch.tensor(solution.weight * scale, dtype=torch.float64, requires_grad=True)
        bias = torch.tensor(solution.bias + solution.weight @ center, dtype=torch.float64, requires_grad=True)
        logits = torch.tensor((features - center) / scale) @ weight.T + bias
        losses = F.cross_entropy(logits, torch.tensor(targets), torch.tensor(counted), reduction="sum")
        # Of two classes the difference is regularised, which is twice the weight of either.
        penalty = (weight**2).sum() / 2 if classes > 2 else (2 * weight[1]).square().sum() / 2
        objective = solution.strength * losses + penalty
        if classes == 2:
            weight.retain_grad()
        objective.backward()
        gradient = weight.grad if classes > 2 else weight.grad[1] - weight.grad[0]
        assert gradient.abs().max() < 0.02 * max(1.0, solution.strength * len(targets)) ** 0.5
        assert bias.grad.abs().max() < 0.02 * max(1.0, solution.strength * len(targets)) ** 0.5
    assert tuple(seen) == convex.STRENGTHS


def test_the_strongest_regularisation_comes_first_and_shrinks_most(rng):
    features, targets = rng.normal(size=(60, 5)), np.arange(60) % 3
    norms = [float(np.linalg.norm(solution.weight)) for solution in convex.solutions(features, targets)]
    assert norms == sorted(norms)
