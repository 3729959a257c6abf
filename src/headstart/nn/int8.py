"""Matrix products with 8-bit weights, for prediction on a CPU: about half the time of float32, at a small loss.

A weight matrix is symmetric with one scale an output. Inputs are rounded anew in every call, with a step and an
offset of their own for each token: a token with an outlier spoils no other, and the answer to a text does not depend
on its neighbours in the batch.

Shapes: tokens = rows of the input, inputs and outputs = the layer's widths.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from headstart.core.errors import UsageError
from headstart.nn.heads import Model
from headstart.nn.layers import with_layers

ENGINE = "fbgemm"
# Weights lie in -127..127 and inputs in 0..127. Seven bits, since CPUs without 8-bit dot products (VNNI) add two
# products in 16 bits, and with eight bits that sum overflows without a word.
WEIGHT_STEPS = 127
INPUT_STEPS = 127

_multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32


def quantised(model: Model) -> Model:
    """Return a copy of a model on the CPU whose blocks multiply with 8-bit weights; the model stays as it is.

    The two share all other weights.

    Raises:
        UsageError: torch has no int8 engine for this machine.

    >>> from headstart.nn.encoder import Encoder
    >>> from headstart.nn.heads import ClassificationHead
    >>> encoder = Encoder(vocabulary=9, width=8, layers=1, heads=2, feed_forward=16, window=4)
    >>> small = quantised(Model(encoder, ClassificationHead(8, classes=2)))
    >>> type(small.encoder.blocks[0].up).__name__, type(encoder.blocks[0].up).__name__
    ('Int8Linear', 'Linear')
    """
    return with_layers(model, Int8Linear)


class Int8Linear(nn.Module):
    """A linear layer with 8-bit weights: ``step * (weight @ rounded input) + offset * sum of weight + bias``.

    Inputs of a token are rounded to `INPUT_STEPS` steps between its least and its greatest (token-wise quantisation,
    Yao et al. 2022, "ZeroQuant").
    """

    def __init__(self, layer: nn.Linear, cuts: Sequence[int] = ()):
        """Round the weights of a layer, which is left as it is.

        Args:
            cuts: see `nn.layers.with_layers`.

        Raises:
            UsageError: torch has no int8 engine for this machine.
        """
        super().__init__()
        self.outputs = layer.out_features
        ranges = {(0, self.outputs), *itertools.pairwise((0, *cuts, self.outputs))}
        rows = [layer.weight.detach(), *([] if layer.bias is None else [layer.bias.detach()])]
        with _engine(), warnings.catch_warnings():
            # torch 2.13 announces that tensors of 8-bit types will go one day, but offers no other way to this kernel.
            warnings.simplefilter("ignore", UserWarning)
            self.parts = {(start, stop): _Part(*(row[start:stop] for row in rows)) for start, stop in ranges}

    def forward(self, hidden: Tensor) -> Tensor:
        """Map float32 ``(tokens, inputs)`` to float32 ``(tokens, outputs)``; gives no gradient."""
        return self.part(hidden, 0, self.outputs)

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute the outputs from `start` up to `stop`, both of them cuts, and no others."""
        return self.parts[start, stop](hidden)


class _Part:
    """Some outputs of a layer, in the order in memory that the kernel wants."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / WEIGHT_STEPS
        zero = torch.zeros(len(weight), dtype=torch.long)
        rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(rounded, None)
        # Sums of the rounded weights, so that the part of an input which all of its values share is multiplied alike.
        self.sums = rounded.dequantize().sum(1)
        self.bias = bias

    def __call__(self, hidden: Tensor) -> Tensor:
        low, high = hidden.amin(1, keepdim=True), hidden.amax(1, keepdim=True)
        step = (high - low).div_(INPUT_STEPS).clamp_(min=torch.finfo(torch.float32).tiny)
        product: Tensor = _multiply((hidden - low).div_(step), 1.0, 0, self.packed)
        product.mul_(step)
        if self.bias is not None:
            product.add_(self.bias)
        return product.addcmul_(low, self.sums)


@contextmanager
def _engine() -> Iterator[None]:
    """Let torch lay out weights for the engine whose kernels are called here, whatever it prefers on this machine."""
    known = torch.backends.quantized.supported_engines
    if ENGINE not in known:
        names = ", ".join(name for name in known if name != "none") or "none"
        raise UsageError(
            f"int8 needs torch's engine '{ENGINE}', which this machine lacks (it has: {names}); do without int8."
        )
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = ENGINE
    try:
        yield
    finally:
        torch.backends.quantized.engine = before
