"""Fixtures for all tests: one seeded generator, one thread, no network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def set_threads():
    """Let torch have more threads in one test."""
    yield torch.set_num_threads
    torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
