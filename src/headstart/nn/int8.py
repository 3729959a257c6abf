"""Matrix products with 8-bit weights, for prediction on a CPU: about half the time of float32, with a small loss.

Weights are quantised symmetrically with one scale per output. Inputs are quantised in every call, with a separate scale
and offset for each token, so that an outlier affects only its own token and the prediction for a text does not depend
on the other texts in the batch.

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
# Weights are in -127..127 and inputs in 0..127. Inputs have seven bits because CPUs without 8-bit dot products (VNNI)
# add two products in 16 bits, which overflows silently with eight bits.
WEIGHT_STEPS = 127
INPUT_STEPS = 127

_multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32


def quantised(model: Model) -> Model:
    """Return a copy of a model on the CPU whose blocks multiply with 8-bit weights; the model itself is unchanged.

    The two share all other weights.

    Raises:
        UsageError: torch has no int8 engine for this machine.

    >>> from headstart.nn.encoder import Encoder
    >>> from headstart.nn.heads import ClassificationHead
    >>> encoder = Encoder(vocabulary=9, width=8, layers=1, heads=2, feed_forward=16, window=4)
    >>> small = quantised(Model(encoder, ClassificationHead(8, 2)))
    >>> type(small.encoder.blocks[0].up).__name__, type(encoder.blocks[0].up).__name__
    ('Int8Linear', 'Linear')
    """
    return with_layers(model, Int8Linear)


class Int8Linear(nn.Module):
    """A linear layer with 8-bit weights: ``step * (weight @ rounded input) + offset * sum of weight + bias``.

    Inputs of a token are rounded to `INPUT_STEPS` steps between their minimum and maximum (token-wise quantisation, Yao
    et al. 2022, "ZeroQuant").
    """

    def __init__(self, layer: nn.Linear, cuts: Sequence[int] = ()):
        """Quantise the weights of a layer; the layer itself is unchanged.

        Args:
            layer: a float32 layer.
            cuts: see `nn.layers.with_layers`.

        Raises:
            UsageError: torch has no int8 engine for this machine.
        """
        super().__init__()
        self.outputs = layer.out_features
        ranges = {(0, self.outputs), *itertools.pairwise((0, *cuts, self.outputs))}
        rows = [layer.weight.detach(), *([] if layer.bias is None else [layer.bias.detach()])]
        with _engine(), warnings.catch_warnings():
            # torch 2.13 announces the removal of quantised tensor types, but offers no other way to call this kernel.
            warnings.simplefilter("ignore", UserWarning)
            self.parts = {(start, stop): _Part(*(row[start:stop] for row in rows)) for start, stop in ranges}

    def forward(self, hidden: Tensor) -> Tensor:
        """Map float32 ``(tokens, inputs)`` to float32 ``(tokens, outputs)``, without gradient."""
        return self.part(hidden, 0, self.outputs)

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute only the outputs from `start` up to `stop`, both of which must be cuts."""
        return self.parts[start, stop](hidden)


class _Part:
    """Some outputs of a layer, in the memory layout of the kernel."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / WEIGHT_STEPS  # (outputs,)
        zero = torch.zeros(len(weight), dtype=torch.long)
        rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(rounded, None)
        # Sums of the quantised weights, by which the offset of an input is multiplied.
        self.sums = rounded.dequantize().sum(1)  # (outputs,)
        self.bias = bias

    def __call__(self, hidden: Tensor) -> Tensor:
        low, high = hidden.amin(1, keepdim=True), hidden.amax(1, keepdim=True)  # each (tokens, 1)
        step = (high - low).div_(INPUT_STEPS).clamp_(min=torch.finfo(torch.float32).tiny)
        product: Tensor = _multiply((hidden - low).div_(step), 1.0, 0, self.packed)  # (tokens, outputs)
        product.mul_(step)
        if self.bias is not None:
            product.add_(self.bias)
        return product.addcmul_(low, self.sums)


@contextmanager
def _engine() -> Iterator[None]:
    """Make torch pack weights for the engine whose kernels are called here, whatever its default on this machine."""
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
