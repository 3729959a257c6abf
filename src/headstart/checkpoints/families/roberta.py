"""RoBERTa checkpoints: names of weights and settings."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, NEUTRAL, Family, bert_encoder
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError


@dataclass(frozen=True)
class Roberta(Family):
    """RoBERTa (Liu et al. 2019): BERT whose positions are counted from the padding token's id plus one."""

    model_type: ClassVar = "roberta"
    architecture: ClassVar = "Roberta"
    modules: ClassVar = {
        **bert_encoder("roberta."),
        "head.dense": ("classifier.dense",),
        "head.output": ("classifier.out_proj",),
    }
    keys: ClassVar = BERT_KEYS
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0}
    neutral: ClassVar = {name: value for name, value in NEUTRAL.items() if name != "position_offset"}
    dropout_first: ClassVar = True

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the encoder's arguments; rows of the position table up to the padding id are unused.

        Raises:
            CheckpointError: as for any family, or the padding id leaves no positions.
        """
        arguments = super().arguments(config)
        padding = config.get("pad_token_id", 1)
        if type(padding) is not int or not 0 <= padding < arguments["window"] - 1:
            raise CheckpointError(
                f"config.json: 'pad_token_id' is {reprlib.repr(padding)}, but must be a whole number from 0 to below "
                f"{arguments['window'] - 1}."
            )
        offset = padding + 1
        return {**arguments, "window": arguments["window"] - offset, "position_offset": offset}

    def config(
        self, arguments: Mapping[str, Any], head: HeadPlan | None, head_dropout: float, pad: int
    ) -> dict[str, Any]:
        """Write the arguments as config.json; `pad` follows from where the positions begin.

        Raises:
            CheckpointError: the family cannot express the encoder.
        """
        offset = arguments.get("position_offset", 0)
        if not offset:
            raise CheckpointError(
                f"the {self.model_type} family counts positions from 1 or more; save as another family."
            )
        rows = {**arguments, "window": arguments["window"] + offset}
        return super().config(rows, head, head_dropout, offset - 1)


PLUGIN = Roberta
