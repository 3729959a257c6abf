"""Several contenders combined.

The weight of each member is learnt from the validation rows, on which none of them was trained. But each member chose
its best epoch or strength on them, and the ensemble chooses again, so its validation score is optimistic: the more so
the fewer rows there are and the more parameters are fitted. 'mean' and 'vote' fit none, 'greedy' and 'weights' one
number per member, 'stacking' one per member and class. Test rows are not used.

What is averaged depends on the kind of task, see `_answers`. 'weights', 'stacking' and 'vote' are for one label per
text.

Shapes: M members, N items, C columns, see `_answers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.checkpoints import manifest
from headstart.contenders import _members
from headstart.contenders._temperature import read_temperature
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, class_numbers, settled
from headstart.core.errors import CheckpointError, HeadstartError, TrainingError, UsageError, did_you_mean, shown
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.tensors import save_arrays

if TYPE_CHECKING:
    import numpy as np

ALONE = ("linear", "scratch")  # what 'all' means outside a contest
Method = Literal["greedy", "weights", "stacking", "mean", "vote"]


@dataclass(frozen=True)
class FittedEnsemble(Fitted):
    """Fitted members and how their predictions are combined.

    names: of the members, as on the leaderboard.
    weights: float64 ``(M,)``, summing to 1; of members with a weight.
    stacked: of 'stacking', float64 ``(M * C + 1, C)``: a column of weights and an intercept per class; otherwise None.
    vote: whether members give their label instead of their probabilities.
    temperature: of the combined probabilities of labels; the members' own are part of what they answer.
    reused_seconds: training time of members that were trained before.
    """

    task: Task
    names: tuple[str, ...]
    members: tuple[Fitted, ...]
    weights: np.ndarray
    stacked: np.ndarray | None = None
    vote: bool = False
    temperature: float = 1.0
    reused_seconds: float = 0.0

    has_temperature: ClassVar[bool] = True
    has_thresholds: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        """Number of all members' weights."""
        return sum(member.parameters for member in self.members)

    @property
    def trained_parameters(self) -> int:
        """Number of all members' trained weights."""
        return sum(member.trained_parameters for member in self.members)

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict with every member, and combine the predictions."""
        from headstart.contenders import _answers, _combining
        from headstart.metrics.temperature import tempered

        answers = _answers.ask(self.members, self.task, inputs)
        if self.stacked is not None:
            mixed = _combining.stack(answers.numbers, self.stacked)
        else:
            mixed = _combining.mix(_combining.votes(answers.numbers) if self.vote else answers.numbers, self.weights)
        if self.temperature != 1:
            mixed = tempered(mixed, self.temperature)
        return _answers.decode(answers, mixed, self.task)

    def with_temperature(self, temperature: float) -> FittedEnsemble:
        """Return the same ensemble with the logarithms of its combined probabilities divided by a temperature."""
        return replace(self, temperature=self.temperature * temperature)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the largest share of the inputs' tokens (0 to 1) that a member truncates."""
        return max(member.cut_off(inputs) for member in self.members)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write each member into its own folder, and the weights as safetensors."""
        from headstart.saved import model_folder

        arrays_saved = {"weights": self.weights} | ({} if self.stacked is None else {"stacked": self.stacked})
        with model_folder.saving(folder) as fresh:
            for number, member in enumerate(self.members):
                member.save(fresh / f"member-{number}", whole=whole)
            save_arrays(arrays_saved, fresh / "ensemble.safetensors")
            fields = {"names": self.names, "vote": self.vote, "temperature": self.temperature}
            write_text(fresh / "ensemble.json", json.dumps(fields))
            manifest.write(fresh, "ensemble", self.task, {})


@dataclass(frozen=True)
class Ensemble(Contender):
    """Several contenders combined, with weights chosen on validation (Caruana et al. 2004).

    members: leaderboard names joined by '+', such as 'linear+finetuned:full'; 'all' for every contender of the
        comparison that builds on no other, and outside one for 'linear+scratch'. A member that fails is left out.
    how: 'greedy' adds one member after the other, with replacement, by the score on validation (section 2.1); 'weights'
        maximises the likelihood of the validation labels; 'stacking' is a logistic regression on the members' log
        probabilities (Wolpert 1992); 'mean' of the probabilities; 'vote' of the labels.
    """

    members: tuple[str, ...] = (_members.ALL,)
    how: Method = "greedy"

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number", "facts", "text"})
    level: ClassVar[str] = "ensemble"
    reads_columns: ClassVar[bool] = True  # as each member does

    @property
    def name(self) -> str:
        """The leaderboard name: 'ensemble', or such as 'ensemble:vote'."""
        return "ensemble" if self.how == "greedy" else f"ensemble:{self.how}"

    @property
    def deterministic(self) -> bool:
        """Whether no member depends on the seed."""
        return _members.ALL not in self.members and all(_members.build(name).deterministic for name in self.members)

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the colon of a leaderboard name: how the predictions are combined."""
        return {"how": way}

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> FittedEnsemble:
        """Take the members' models and learn their weights from their predictions on validation.

        Without validation rows all have the same weight. A member without weight is not part of the model.

        Raises:
            UsageError: an unknown method, or one that the kind of task does not have.
            TrainingError: no member could be trained.
        """
        import numpy as np

        from headstart.contenders import _answers, _combining

        if self.how not in _combining.METHODS:
            raise UsageError(f"no ensemble method {shown(self.how)}; {did_you_mean(self.how, _combining.METHODS)}")
        if task.kind != "label" and self.how not in _combining.ANY_KIND:
            raise UsageError(
                f"an ensemble by {shown(self.how)} combines the answers of tasks with one label per text; "
                f"set ensemble.how={' or '.join(_combining.ANY_KIND)}."
            )
        names = ALONE if _members.ALL in self.members else tuple(dict.fromkeys(self.members))
        fitted_members: dict[str, tuple[Fitted, float]] = {}
        reasons = []
        for number, name in enumerate(names):
            run.progress(Progress(f"taking {name}", number / len(names)))
            try:
                fitted_members[name] = _members.fitted(name, train, validation, task, run)
            except HeadstartError as error:
                reasons.append(f"{name}: {str(error).rstrip('.')}")
        if not fitted_members:
            raise TrainingError(f"no member of the ensemble could be trained: {'; '.join(reasons)}.")
        names, models = tuple(fitted_members), tuple(model for model, _ in fitted_members.values())
        weights, stacked = np.full(len(names), 1 / len(names)), None
        known = validation.take(_combining.with_known_classes(validation, task))
        if len(known):
            answers = _answers.ask(models, task, known.inputs)
            if self.how == "stacking":
                numbers = class_numbers(task.classes, known.targets)
                stacked = _combining.stacking(answers.numbers.astype(np.float64), numbers)
            weights = _combining.METHODS[self.how](answers, known, task, run.metric)
            if task.settles:
                mixed = _combining.mix(answers.numbers, weights)
                task, _ = settled(task, lambda task: _answers.decode(answers, mixed, task), known.targets)
        counts = [number for number, weight in enumerate(weights) if weight > 0]
        return FittedEnsemble(
            task,
            tuple(names[number] for number in counts),
            tuple(models[number] for number in counts),
            weights[counts],
            stacked,
            self.how == "vote",
            reused_seconds=sum(seconds for _, seconds in fitted_members.values()),
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> FittedEnsemble:
        """Read a saved model and its members.

        Raises:
            CheckpointError: its numbers do not match its members, or a member is damaged or has other classes.
        """
        import numpy as np

        from headstart.checkpoints import arrays
        from headstart.saved import model_folder

        path = folder / "ensemble.json"
        fields = read_object(path)
        names, vote = fields.get("names"), fields.get("vote")
        if not isinstance(names, list) or not names or not isinstance(vote, bool):
            raise CheckpointError(f"'{path}' must name the members and say whether they vote; copy the folder again.")
        columns = len(task.classes)
        stored = arrays.read(
            folder / "ensemble.safetensors",
            {"weights": (len(names),)},
            np.float64,
            {"stacked": (len(names) * columns + 1, columns)},
        )
        members = tuple(model_folder.open_model(folder / f"member-{number}") for number in range(len(names)))
        for number, member in enumerate(members):
            if member.task.classes != task.classes:
                raise CheckpointError(
                    f"'{folder / f'member-{number}'}' answers with other classes than the ensemble around it; copy the "
                    "folder again."
                )
        temperature = read_temperature(fields, path)
        listed = tuple(map(str, names))
        return FittedEnsemble(task, listed, members, stored["weights"], stored.get("stacked"), vote, temperature)


PLUGIN = Ensemble
