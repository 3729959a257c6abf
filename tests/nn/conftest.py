"""A small model with its head, and texts for it."""

import numpy as np
import pytest
import torch

from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack


@pytest.fixture(params=[{}, {"one_block": True}, {"distance_buckets": 8}], ids=str)
def model(request):
    torch.manual_seed(0)
    shape = {"vocabulary": 30, "width": 8, "layers": 2, "heads": 2, "feed_forward": 16, "window": 12}
    encoder = Encoder(**shape, dropout=0.0, **request.param)
    built = Model(encoder, ClassificationHead(8, 3, dropout=0.0))
    with torch.no_grad():
        for weight in built.parameters():
            if weight.dim() > 1:
                weight.mul_(10)  # at the size of trained weights, so that layers do more than pass states on
    return built.eval()


@pytest.fixture
def batch():
    return pack(np.arange(9), np.array([0, 3, 4, 9]), np.arange(3))
