"""A finished comparison, as Python code and notebooks see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headstart.core.contracts import Fitted, Value
from headstart.core.results import Result
from headstart.prediction import open_model
from headstart.report import build, stress, subsets, wording


@dataclass(frozen=True)
class Comparison:
    """A finished comparison, which displays itself in a notebook.

    result: everything that was measured; see `headstart.core.results.Result`.
    model: the winner's own folder, which later comparisons do not change.
    """

    result: Result
    model: Path

    @property
    def verdict(self) -> tuple[str, ...]:
        """Three to five sentences: which contender to use, and what could change that."""
        return wording.verdict_of(self.result)

    @property
    def leaderboard(self) -> list[dict[str, Value]]:
        """One dictionary per contender, best first: score with its 95 % interval (a share 0 to 1), who ties, costs."""
        return [
            {
                "contender": standing.contender,
                "score": standing.score.value,
                "low": standing.score.low,
                "high": standing.score.high,
                "spread": standing.spread,
                "seeds": standing.seeds,
                "ties": standing.ties,
                **vars(standing.cost),
            }
            for standing in self.result.standings
        ]

    @property
    def by(self) -> list[dict[str, Value]]:
        """One dictionary per contender and value of the column `by`: score, rows, difference from all other rows."""
        return subsets.lines(self.result)

    @property
    def stress(self) -> list[dict[str, Value]]:
        """One dictionary per contender and transformation of the texts: scores before and after, loss, p-value."""
        return stress.lines(self.result.stress)

    @property
    def best(self) -> Fitted:
        """The winner of this comparison, whatever ran since: ``best.predict(texts)``."""
        return open_model(self.model)

    def _repr_html_(self) -> str:
        return build.fragment(self.result)
