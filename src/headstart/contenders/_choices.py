"""Allowed values of contenders' options, in a module without torch so that options are checked quickly."""

from __future__ import annotations

from typing import Literal

ClassWeights = Literal["none", "balanced"]
# Of a model to pretrain; see `job.SIZES`.
Size = Literal["tiny", "mini", "small", "base"]
