"""Several contenders combined.

The weight of each member is learnt from the validation rows, on which none of them was trained. But each member chose
its
best epoch or strength on them, and the ensemble chooses again, so its validation score is optimistic: the more so the
fewer rows there are and the more parameters are fitted. 'mean' and 'vote' fit none, 'greedy' and 'weights' one number
per member, 'stacking' one per member and class. Test rows are not used.

Numbers are averaged instead of probabilities. 'weights', 'stacking' and 'vote' are for one label per text.

Shapes: M members, N texts, C classes (labels; 1 for numbers).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from headstart.checkpoints import manifest
from headstart.contenders import _members
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, class_numbers, metric_values, settled
from headstart.core.errors import CheckpointError, HeadstartError, TrainingError, UsageError, did_you_mean, shown
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tally import named
from headstart.core.tensors import save_arrays

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

ALONE = ("linear", "scratch")  # what 'all' means outside a contest
ROUNDS = 25  # members that 'greedy' picks, the same one often
STEPS = 200  # of the iteration that fits 'weights'
STRENGTHS = (0.01, 0.1, 1.0)  # of 'stacking'; inverse regularisation
FOLDS = 5
LEAST = 1e-6  # lower limit of a probability in logarithms
TIE = 1e-3  # weight of the mean probabilities in a vote, which break ties
Method = Literal["greedy", "weights", "stacking", "mean", "vote"]
NEVER = -1e4  # the logit of a class that does not occur in validation; its probability is 0


@dataclass(frozen=True)
class FittedEnsemble(Fitted):
    """Fitted members and how their predictions are combined.

    names: of the members, as on the leaderboard.
    weights: float64 ``(M,)``, summing to 1; of members with a weight.
    stacked: of 'stacking', float64 ``(M * C + 1, C)``: a column of weights and an intercept per class; otherwise None.
    vote: whether members give their label instead of their probabilities.
    reused_seconds: training time of members that were trained before.
    """

    task: Task
    names: tuple[str, ...]
    members: tuple[Fitted, ...]
    weights: np.ndarray
    stacked: np.ndarray | None = None
    vote: bool = False
    reused_seconds: float = 0.0

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
        answers = _probabilities(self.members, inputs)
        if self.stacked is not None:
            probabilities = stack(answers, self.stacked)
        else:
            probabilities = mix(votes(answers) if self.vote else answers, self.weights)
        return _predictions(probabilities, self.task, inputs)

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
            write_text(fresh / "ensemble.json", json.dumps({"names": self.names, "vote": self.vote}))
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

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number"})
    level: ClassVar[str] = "ensemble"

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
        if self.how not in METHODS:
            raise UsageError(f"no ensemble method {shown(self.how)}; {did_you_mean(self.how, METHODS)}")
        if task.kind != "label" and self.how not in ANY_KIND:
            raise UsageError(
                f"an ensemble by {shown(self.how)} combines the answers of tasks with one label per text; "
                f"set ensemble.how={' or '.join(ANY_KIND)}."
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
        known = validation.take(_known(validation, task))
        if len(known):
            answers = _probabilities(models, known.inputs).astype(np.float64)
            if self.how == "stacking":
                stacked = stacking(answers, class_numbers(task.classes, known.targets))
            weights = METHODS[self.how](answers, known, task, run.metric)
            if task.settles:
                mixture = mix(answers, weights)
                task, _ = settled(task, lambda task: _predictions(mixture, task, known.inputs), known.targets)
        counts = [number for number, weight in enumerate(weights) if weight > 0]
        return FittedEnsemble(
            task,
            tuple(names[number] for number in counts),
            tuple(models[number] for number in counts),
            weights[counts],
            stacked,
            self.how == "vote",
            sum(seconds for _, seconds in fitted_members.values()),
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> FittedEnsemble:
        """Read a saved model and its members.

        Raises:
            CheckpointError: its numbers do not match its members, or a member is damaged or has other classes.
        """
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
        return FittedEnsemble(task, tuple(map(str, names)), members, stored["weights"], stored.get("stacked"), vote)


def _known(rows: Rows, task: Task) -> np.ndarray:
    """Return the numbers of the rows from which weights can be learnt: all but those of unknown classes."""
    if task.kind != "label":
        return np.arange(len(rows))
    return np.flatnonzero(class_numbers(task.classes, rows.targets) >= 0)


def _probabilities(models: Sequence[Fitted], inputs: Sequence[Value]) -> np.ndarray:
    """Return every model's probabilities, float32 ``(M, N, C)``, or its numbers, float64 ``(M, N, 1)``."""
    answers = []
    for model in models:
        predictions = model.predict(inputs)
        numbers = predictions.probabilities
        if numbers is None:  # as of tasks whose answers are numbers
            numbers = np.array(predictions.values, dtype=np.float64)[:, None]
        answers.append(numbers)
    return np.stack(answers)


def mix(answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average probabilities ``(M, N, C)`` by weights ``(M,)``: float64 ``(N, C)``.

    >>> mix(np.array([[[1.0, 0.0]], [[0.5, 0.5]]]), np.array([0.5, 0.5])).tolist()
    [[0.75, 0.25]]
    """
    means: np.ndarray = np.einsum("m,mnc->nc", weights, answers.astype(np.float64))
    return means


def votes(answers: np.ndarray) -> np.ndarray:
    """Return each member's vote for its most probable class, with a small weight for the others that breaks ties."""
    counted: np.ndarray = (1 - TIE) * np.eye(answers.shape[-1])[answers.argmax(axis=-1)] + TIE * answers
    return counted


def equal(answers: np.ndarray, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Return equal weights of the members: ``(M,)``."""
    return np.full(len(answers), 1 / len(answers))


def greedy(answers: np.ndarray, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Add members with replacement, each time the one that helps most, and stop at the best point: ``(M,)``.

    Ensemble selection of Caruana et al. 2004, "Ensemble Selection from Libraries of Models", section 2.1. Among equal
    scores the higher likelihood decides, then the shorter list.
    """
    sign = named(task.metrics, metric).sign
    counts = np.zeros(len(answers))
    best: tuple[tuple[float, float], np.ndarray] | None = None
    for _ in range(ROUNDS):
        tried = []
        for member in range(len(answers)):
            more = counts + np.eye(len(answers))[member]
            answer = mix(answers, more / more.sum())
            score = sign * _score(answer, validation, task, metric)
            tried.append(((score, _likelihood(answer, validation, task)), more))
        merit, counts = max(tried, key=lambda trial: trial[0])
        if best is None or merit > best[0]:
            best = merit, counts
    assert best is not None
    shares: np.ndarray = best[1] / best[1].sum()
    return shares


def _score(answer: np.ndarray, rows: Rows, task: Task, metric: str) -> float:
    """Score combined answers ``(N, C)``, with a task settled on the same rows."""
    own, predictions = settled(task, lambda task: _predictions(answer, task, rows.inputs), rows.targets)
    return metric_values(own, predictions, rows)[metric]


def _likelihood(answer: np.ndarray, rows: Rows, task: Task) -> float:
    """Return the mean log likelihood of the targets, of numbers without constants."""
    if task.kind == "label":
        return _log_likelihood(answer, class_numbers(task.classes, rows.targets))
    if task.kind == "number":
        return -float(np.square(answer[:, 0] - np.array(rows.targets, dtype=np.float64)).mean())
    truth = task.targets(rows, Encoded.without_tokens(len(rows))).values
    return float(np.log(np.maximum(np.where(truth > 0, answer, 1 - answer), LEAST)).mean())


def likeliest(answers: np.ndarray, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Find the weights ``(M,)`` of the mixture that maximise the likelihood of the validation labels.

    By expectation maximisation (Dempster et al. 1977, section 4.3), which never decreases the likelihood.
    """
    numbers = class_numbers(task.classes, validation.targets)
    right = np.maximum(answers[:, np.arange(len(numbers)), numbers], LEAST)
    weights = np.full(len(answers), 1 / len(answers))
    for _ in range(STEPS):
        shares = weights[:, None] * right
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    mixture: np.ndarray = np.where(weights < LEAST, 0.0, weights) / weights[weights >= LEAST].sum()
    return mixture


def stacking(member_answers: np.ndarray, numbers: np.ndarray) -> np.ndarray | None:
    """Fit a logistic regression on the members' log probabilities: ``(M * C + 1, C)``, intercepts last.

    Its regularisation is chosen by the likelihood in `FOLDS`-fold cross-validation. Classes that do not occur in
    validation are never predicted.

    Returns:
        None if some class has fewer than two rows, or all rows are of one class.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    present, counts = np.unique(numbers, return_counts=True)
    if len(present) < 2 or counts.min() < 2:
        return None
    features = _features(member_answers)
    folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=0)
    places = np.searchsorted(present, numbers)

    def held_out(strength: float) -> float:
        answers = cross_val_predict(_regression(strength), features, places, cv=folds, method="predict_proba")
        return _log_likelihood(answers, places)

    model = _regression(max(STRENGTHS, key=held_out)).fit(features, places)
    columns = np.vstack([model.coef_.T, model.intercept_])
    if len(present) == 2:  # scikit-learn gives one column; softmax needs one for each
        columns = np.hstack([-columns / 2, columns / 2])
    coefficients = np.zeros((len(columns), member_answers.shape[-1]))
    coefficients[-1] = NEVER
    coefficients[:, present] = columns
    return coefficients


def stack(answers: np.ndarray, stacked: np.ndarray) -> np.ndarray:
    """Predict with the result of :func:`stacking`: ``(N, C)``."""
    from scipy.special import softmax

    probabilities: np.ndarray = softmax(_features(answers) @ stacked[:-1] + stacked[-1], axis=1)
    return probabilities


def _regression(strength: float) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000)


def _features(answers: np.ndarray) -> np.ndarray:
    """Turn ``(M, N, C)`` into log probabilities ``(N, M * C)``."""
    logarithms: np.ndarray = np.log(np.maximum(answers, LEAST))
    return logarithms.transpose(1, 0, 2).reshape(answers.shape[1], -1)


def _log_likelihood(probabilities: np.ndarray, numbers: np.ndarray) -> float:
    return float(np.log(np.maximum(probabilities[np.arange(len(numbers)), numbers], LEAST)).mean())


def _predictions(answers: np.ndarray, task: Task, inputs: Sequence[Value]) -> Predictions:
    """Turn combined probabilities, or numbers, ``(N, C)`` into predictions."""
    if task.kind == "number":
        return Predictions(tuple(answers[:, 0].tolist()))
    single = answers.astype(np.float32)
    if task.kind == "labels":
        from scipy.special import logit

        return task.decode(Ragged.single(logit(answers)), Encoded.without_tokens(len(answers)), inputs)
    return Predictions(tuple(task.classes[number] for number in single.argmax(axis=1)), task.classes, single)


ANY_KIND: tuple[Method, ...] = ("greedy", "mean")  # the methods for answers of any kind
METHODS: dict[Method, Callable[[np.ndarray, Rows, Task, str], np.ndarray]] = {
    "greedy": greedy,
    "weights": likeliest,
    "stacking": equal,
    "mean": equal,
    "vote": equal,
}

PLUGIN = Ensemble
