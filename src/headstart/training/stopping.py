"""When to stop a training: early stopping on validation, at the best state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Best:
    """The best evaluation so far and the number of evaluations since.

    score: the task's metric on validation, higher is better.
    loss: decides between equal scores, lower is better.
    step: number of optimiser steps done at that evaluation.
    since: number of evaluations since.
    """

    score: float = float("-inf")
    loss: float = float("inf")
    step: int = 0
    since: int = 0

    def improved_by(self, score: float, loss: float) -> bool:
        """Return whether an evaluation beats the best: a higher score, or the same score with a lower loss."""
        return (score, -loss) > (self.score, -self.loss)

    def after(self, score: float, loss: float, step: int) -> Best:
        """Return the state after one more evaluation.

        >>> Best().after(0.5, 1.0, step=10).after(0.4, 0.9, step=20)
        Best(score=0.5, loss=1.0, step=10, since=1)
        """
        if self.improved_by(score, loss):
            return Best(score, loss, step, 0)
        return Best(self.score, self.loss, self.step, self.since + 1)
