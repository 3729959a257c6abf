"""A cheap contender answers the texts that it is sure of, an expensive one the others.

The cheap one is sure of a text if its most probable label reaches a threshold. The threshold is chosen on the
validation rows, on which neither was trained: of those at which the cascade's score is less than one standard error
below that of the expensive one alone, on the same rows, the one that leaves the cheap one most rows (the rule of one
standard error of Breiman et al. 1984, section 3.4.3). Test rows are not used.

Only for tasks with one label: numbers have no confidence, several labels have one each, and the confidence that a whole
text's facts are right falls with their number, so that it says more about the length of a text than about the model.

Shapes: N rows, C classes, T thresholds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headstart.checkpoints import manifest
from headstart.contenders import _members
from headstart.contenders._temperature import read_temperature
from headstart.core.contracts import Contender, Fitted, Task, Value
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.tally import named

if TYPE_CHECKING:
    import numpy as np

THRESHOLDS = 100  # that are tried
NEVER = 2.0  # a threshold that no confidence reaches
MEMBERS = ("cheap", "expensive")


@dataclass(frozen=True)
class FittedCascade(Fitted):
    """Two fitted models, and when the first one's answer is enough.

    names: of both, as on the leaderboard.
    threshold: confidence that the cheap one's answer must reach, above 0; more than 1 if it never does.
    temperature: of the probabilities; the members' own are part of what they answer.
    reused_seconds: training time of members that were trained before.
    """

    task: Task
    names: tuple[str, str]
    cheap: Fitted
    expensive: Fitted
    threshold: float
    temperature: float = 1.0
    reused_seconds: float = 0.0

    has_temperature: ClassVar[bool] = True

    @property
    def has_int8(self) -> bool:
        """Whether a member has a copy with 8-bit weights."""
        return self.cheap.has_int8 or self.expensive.has_int8

    @property
    def parameters(self) -> int:
        """Number of both members' weights."""
        return self.cheap.parameters + self.expensive.parameters

    @property
    def trained_parameters(self) -> int:
        """Number of both members' trained weights."""
        return self.cheap.trained_parameters + self.expensive.trained_parameters

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict all inputs with the cheap member, and those it is unsure of, together, with the expensive one."""
        import numpy as np

        from headstart.metrics.temperature import tempered

        first = self.cheap.predict(inputs)
        unsure = np.flatnonzero(_confidence(first) < self.threshold)
        if len(unsure):
            first = merged(first, unsure, self.expensive.predict([inputs[number] for number in unsure.tolist()]))
        if self.temperature == 1:
            return first
        return replace(first, probabilities=tempered(_probabilities(first), self.temperature).astype(np.float32))

    def with_int8(self) -> FittedCascade:
        """Return the same cascade with 8-bit weights in the members that have them."""
        cheap, expensive = (one.with_int8() if one.has_int8 else one for one in (self.cheap, self.expensive))
        return replace(self, cheap=cheap, expensive=expensive)

    def with_temperature(self, temperature: float) -> FittedCascade:
        """Return the same cascade with its logits divided by a temperature; both answer the same texts as before."""
        return replace(self, temperature=self.temperature * temperature)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the larger share of the inputs' tokens (0 to 1) that a member truncates."""
        return max(self.cheap.cut_off(inputs), self.expensive.cut_off(inputs))

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write each member into its own folder, and the threshold as JSON."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            for name, member in zip(MEMBERS, (self.cheap, self.expensive), strict=True):
                member.save(fresh / name, whole=whole)
            fields = {"names": self.names, "threshold": self.threshold, "temperature": self.temperature}
            write_text(fresh / "cascade.json", json.dumps(fields))
            manifest.write(fresh, "cascade", self.task, {})


@dataclass(frozen=True)
class Cascade(Contender):
    """A cheap contender where it is sure enough, an expensive one elsewhere (Viola & Jones 2001).

    cheap: leaderboard name of the contender that reads all texts.
    expensive: leaderboard name of the one that reads the others.
    """

    cheap: str = "linear"
    expensive: str = "finetuned:full"

    name: ClassVar[str] = "cascade"
    reads_columns: ClassVar[bool] = True  # as each member does

    @property
    def members(self) -> tuple[str, ...]:
        """The leaderboard names of both."""
        return self.cheap, self.expensive

    @property
    def deterministic(self) -> bool:
        """Whether neither member depends on the seed."""
        return all(_members.build(name).deterministic for name in self.members)

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> FittedCascade:
        """Take the members' models and choose the threshold by their predictions of validation.

        Without validation rows the expensive one answers all texts.

        Raises:
            UsageError: both members are the same.
            HeadstartError: a member could not be trained.
        """
        if self.cheap == self.expensive:
            raise UsageError(
                f"both members of the cascade are {shown(self.cheap)}; name another one, as in "
                "--set cascade.cheap=linear."
            )
        run.progress(Progress(f"taking {self.cheap}", 0.0))
        cheap, cheap_seconds = _members.fitted(self.cheap, train, validation, task, run)
        run.progress(Progress(f"taking {self.expensive}", 0.5))
        expensive, seconds = _members.fitted(self.expensive, train, validation, task, run)
        threshold = NEVER
        if len(validation):
            answers, others = cheap.predict(validation.inputs), expensive.predict(validation.inputs)
            threshold = chosen(answers, others, validation, task, run.metric)
        names = self.cheap, self.expensive
        return FittedCascade(task, names, cheap, expensive, threshold, reused_seconds=cheap_seconds + seconds)

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> FittedCascade:
        """Read a saved model and its members.

        Raises:
            CheckpointError: its file says something else, or a member is damaged or has other classes.
        """
        from headstart.saved import model_folder

        path = folder / "cascade.json"
        fields = read_object(path)
        match fields.get("names"), fields.get("threshold"):
            case [str(one), str(other)], float(threshold) if 0 < threshold <= NEVER:
                names = one, other
            case _:
                raise CheckpointError(
                    f"'{path}' must name two members and hold a threshold above 0; copy the folder again."
                )
        cheap, expensive = (model_folder.open_model(folder / name) for name in MEMBERS)
        for name, model in zip(MEMBERS, (cheap, expensive), strict=True):
            if model.task.classes != task.classes:
                raise CheckpointError(
                    f"'{folder / name}' answers with other classes than the cascade around it; copy the folder again."
                )
        return FittedCascade(task, names, cheap, expensive, threshold, read_temperature(fields, path))


def chosen(cheap: Predictions, expensive: Predictions, rows: Rows, task: Task, metric: str) -> float:
    """Return the threshold that leaves the cheap member most rows, with a score within noise of the expensive one.

    It lies between two confidences of the cheap member, so that rounding does not change which member answers.

    Args:
        cheap: the cheap member's predictions of the rows, with probabilities.
        expensive: the expensive member's.
        rows: validation rows.
        task: of these rows.
        metric: the score.
    """
    import numpy as np

    from headstart.metrics import stats

    confidence = _confidence(cheap)
    levels = np.unique(confidence)  # ascending
    limits = np.concatenate([levels[:1] / 2, (levels[1:] + levels[:-1]) / 2])
    tried = limits[np.unique(np.linspace(0, len(limits) - 1, THRESHOLDS).astype(int))]  # (T,)
    tallies = [[task.tally(expensive, rows.targets)]]
    for limit in tried:
        values = np.where(confidence < limit, np.array(expensive.values, dtype=object), np.array(cheap.values, object))
        tallies.append([task.tally(replace(cheap, values=tuple(values)), rows.targets)])
    chances = stats.joint(tallies, named(task.metrics, metric), groups=stats.group_numbers(rows))
    within = chances.scores[1:] - chances.scores[0] >= -chances.errors[0, 1:]  # (T,)
    return float(tried[within.argmax()]) if within.any() else NEVER


def merged(cheap: Predictions, unsure: np.ndarray, expensive: Predictions) -> Predictions:
    """Return the predictions of a cheap model with those of an expensive one in some rows.

    Args:
        cheap: of all rows, with probabilities ``(N, C)``.
        unsure: int64, the rows that the expensive one answers.
        expensive: of these rows.
    """
    values, probabilities = list(cheap.values), _probabilities(cheap).copy()
    for row, value in zip(unsure.tolist(), expensive.values, strict=True):
        values[row] = value
    probabilities[unsure] = _probabilities(expensive)
    return Predictions(tuple(values), cheap.classes, probabilities)


def _probabilities(predictions: Predictions) -> np.ndarray:
    assert predictions.probabilities is not None  # as all models give them for labels
    return predictions.probabilities


def _confidence(predictions: Predictions) -> np.ndarray:
    """Return the largest probability of each row, float64 ``(N,)``."""
    import numpy as np

    confidence: np.ndarray = _probabilities(predictions).max(axis=1, initial=0.0).astype(np.float64)
    return confidence


PLUGIN = Cascade
