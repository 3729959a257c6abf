"""What options choose among, apart from what computes with it: options are checked without loading torch."""

from __future__ import annotations

from typing import Literal

# What a head reads: the first token of a text, or the mean of all.
Pooling = Literal["first", "mean"]
# What can be updated in a block: the layer, and which of the matrices in the layer.
TARGETS = {
    "query": ("attention.qkv", 0),
    "key": ("attention.qkv", 1),
    "value": ("attention.qkv", 2),
    "output": ("attention.output", 0),
    "up": ("up", 0),
    "down": ("down", 0),
}
# The layers of a block after which an adapter can be inserted.
PLACES = {"houlsby": ("attention_adapter", "output_adapter"), "pfeiffer": ("output_adapter",)}
