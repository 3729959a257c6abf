"""A part of a product is a slice of the whole."""

import torch

from headstart.nn.linear import Linear


def test_a_part_is_a_slice_of_the_whole():
    layer = Linear(6, 12)
    hidden = torch.randn(5, 6)
    whole = layer(hidden)
    for start, stop in ((0, 4), (4, 12)):
        torch.testing.assert_close(layer.part(hidden, start, stop), whole[:, start:stop])
