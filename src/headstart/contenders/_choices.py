"""Allowed values of contenders' options, in a module without torch so that options are checked quickly."""

from __future__ import annotations

from typing import Literal

from headstart.core.contracts import Kind

ClassWeights = Literal["none", "balanced"]
# Of a model to pretrain; see `job.SIZES`.
Size = Literal["tiny", "mini", "small", "base"]
# Those that the heads of a Transformer answer.
KINDS: frozenset[Kind] = frozenset({"label", "labels", "number", "facts", "text"})
