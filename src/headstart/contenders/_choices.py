"""What options of contenders choose among, apart from what computes with it: they are checked without torch."""

from __future__ import annotations

from typing import Literal

ClassWeights = Literal["none", "balanced"]
# Of a model to pretrain; see `_pretraining.SIZES`.
Size = Literal["tiny", "mini", "small", "base"]
