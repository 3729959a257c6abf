"""A small Transformer that learns from a fitted model: first its states, then its predictions.

The teacher's outputs are computed once per text and stored (docs/decisions/0004-what-a-teacher-leaves.md).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from headstart.checkpoints import manifest
from headstart.contenders import _members
from headstart.contenders._choices import KINDS, Augment
from headstart.core import rooms
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, all_texts, one_text
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.records import Progress, Rows, Run
from headstart.nn.choices import Pooling
from headstart.stress._augment import augmented

if TYPE_CHECKING:
    from headstart.checkpoints.folder import Checkpoint
    from headstart.contenders import _neural
    from headstart.distillation import objectives
    from headstart.nn.encoder import Stack

NONE = "none"
USUAL = "4x256"
SHAPES = {"tinybert": (4, 312, 1200)}
Method = Literal["tinybert", "minilm", "logits"]
METHODS: tuple[Method, ...] = get_args(Method)
HEADS = (12, 8, 4, 2, 1)
LEAST_HEAD = 24  # width of an attention head
# Word pieces and window of a student whose teacher has none.
OWN_VOCABULARY, WINDOW = 5000, 512
WRITER_EPOCHS = 5  # where answers are written, passes over the texts for each of other students


@dataclass(frozen=True)
class Distilled(Contender):
    """A small Transformer that learns from another contender's predictions and states (Jiao et al. 2020).

    teacher: a contender's leaderboard name, a folder saved by Headstart, or a Hugging Face classifier with the task's
        labels; 'none' for the same student without a teacher.
    student: layers x width, such as '4x256' or '2x128' (x feed-forward width, otherwise four times the width);
        'tinybert' for 4x312; or some of the teacher's own layers, from 1, as in 'layers:1+3+5' (Sanh et al. 2019,
        section 3).
    method: 'tinybert' matches attention scores, states and embeddings before the predictions (Jiao et al. 2020);
        'minilm' relations in the last layer (Wang et al. 2020); 'logits' only the predictions (Hinton et al. 2015),
        which is all that a teacher that is not a Transformer, or reads a text in several windows, provides, whatever
        the method. Where tokens are scored, as for entities, the predictions are those of each token, and the teacher
        must be a Transformer; of one with a conditional random field, its scores of pairs are not taught.
    layers: which of the teacher's layers 'tinybert' matches: 'uniform', 'last', or one for each of the student's, as in
        '2+4'. A student built from the teacher's layers matches those layers.
    temperature: of the predictions; not of numbers.
    label_weight: share (0 to 1) of the true labels in the loss of a labelled text.
    matching_epochs: passes over the texts in the first phase, more if there are few.
    epochs: passes over the texts in the second phase, more if there are few; five times as many where answers are
        written.
    vocabulary: size of the vocabulary that the student learns from the texts. 0 for the teacher's word pieces; if the
        teacher is not a Transformer, or there is none, for 5,000 word pieces of its own; for 8,000 tokens of its own
        where answers are written.
    pooling: what the student's head reads, 'first' or 'mean'; see `nn.heads`.
    learning_rate: peak rate of AdamW.
    backbone: the backbone of a teacher that is trained outside a comparison.
    augment: 'typos' to learn from a copy of each row with typing errors as well, see `stress._augment`. The teacher is
        trained without, and says what it predicts for the copies.

    Where answers are written, the student is an encoder and a decoder of this shape, and learns what its teacher writes
    for the training texts (Kim & Rush 2016), whatever the method, layers, temperature and pooling.

    `run.unlabelled` is added to the training texts, where an input is one text. Embeddings are initialised from the
    teacher's by principal components.
    """

    teacher: str = "finetuned:full"
    student: str = USUAL
    method: Method = "tinybert"
    layers: str = "uniform"
    temperature: float = 1.0
    label_weight: float = 0.5
    matching_epochs: int = 3
    epochs: int = 3
    vocabulary: int = 0
    pooling: Pooling = "first"
    learning_rate: float = 5e-4
    backbone: str = "minilm"
    augment: Augment = "none"

    kinds: ClassVar[frozenset[Kind]] = KINDS
    generates: ClassVar = "also"
    level: ClassVar[str] = "distilled"
    reads_unlabelled: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The leaderboard name: 'distilled', or such as 'distilled:2x128', 'distilled:alone' or 'distilled:typos'."""
        student = "" if self.student == USUAL else self.student
        ways = student, "alone" if self.teacher == NONE else "", "" if self.augment == NONE else self.augment
        return ":".join(filter(None, ("distilled", "-".join(filter(None, ways)))))

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the colon of a leaderboard name: a student, 'alone', 'typos', or several in this order.

        >>> Distilled.named("2x128-alone"), Distilled.named("typos")
        ({'student': '2x128', 'teacher': 'none'}, {'augment': 'typos'})
        """
        options: dict[str, Value] = {}
        for last, option in (("typos", {"augment": "typos"}), ("alone", {"teacher": NONE})):
            rest, _, end = way.rpartition("-")
            if end == last:
                way, options = rest, {**option, **options}
        return {**({"student": way} if way else {}), **options}

    @property
    def members(self) -> tuple[str, ...]:
        """The contender that is the teacher, if it is one."""
        return (self.teacher,) if _members.divide(self.teacher)[0] in rooms.names("contenders") else ()

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Match the teacher's states, then its predictions; use the best evaluation of each on validation.

        Raises:
            UsageError: an unknown method, student or layer map, or a teacher with other classes.
            TrainingError: see `training.loop.train`.
        """
        import numpy as np
        import torch

        from headstart.contenders import _neural, _teaching
        from headstart.core import seed
        from headstart.distillation import phases
        from headstart.nn.heads import Model
        from headstart.nn.narrow import narrowed

        if self.method not in METHODS:
            raise UsageError(f"no distillation method {shown(self.method)}; {did_you_mean(self.method, METHODS)}")
        if self.vocabulary and self.method != "logits" and self.teacher != NONE and not task.generates:
            raise UsageError(
                f"a vocabulary of the student's own lets it match answers alone, not {shown(self.method)}; "
                "set distilled.method=logits too, or leave the vocabulary."
            )
        teacher, seconds = (None, 0.0) if self.teacher == NONE else self._teacher(train, validation, task, run)
        if task.generates:
            return self._writer(teacher, seconds, train, validation, task, run)
        # A teacher that reads a text in several windows has no one sequence of states for a student to match.
        guide = teacher if isinstance(teacher, _neural.Neural) and not teacher.long.windows else None
        validation = validation if len(validation) else train
        train = augmented(train, task, self.augment, run.seed)
        texts = [*train.inputs, *(run.unlabelled if teacher is not None and one_text(task) else ())]
        run.progress(Progress("tokenising", 0.0))
        torch.manual_seed(seed.derive(run.seed, "weights"))
        checkpoint = self._student(guide, task, texts)
        assert isinstance(checkpoint.model, Model)
        lesson = phases.Lesson(
            self, checkpoint.model.to(run.device), task, train, validation, run, len(texts), self._name(guide, run)
        )
        encoded = task.encode([*texts, *validation.inputs], checkpoint.tokenizer)
        matching, stored, saved = None, None, 0.0
        if guide is not None:
            guide.model.to(run.device).requires_grad_(False).eval()
            guide.device = run.device
            if self.method != "logits":
                matching = self._inside(checkpoint.model.encoder, guide.model.encoder).to(run.device)
                stored, saved = _teaching.keep(guide.model, matching.stages, encoded, run)
        soft = None
        if teacher is not None and checkpoint.model.head.reads_all:
            same = None if self.vocabulary else guide
            soft = _teaching.token_outputs(same, self.teacher, encoded.until(len(texts)), run.device)
        elif teacher is not None:
            soft = _teaching.text_outputs(teacher, texts, task, stored, encoded.until(len(texts)), run.device)
        words = checkpoint.model.encoder.embeddings.word
        special = [*checkpoint.tokenizer.opening, *checkpoint.tokenizer.closing]
        own, held_out = encoded.until(len(texts)).tokens, encoded.since(len(texts)).tokens
        with narrowed(words, np.concatenate([own, special]), held_out) as renumber:
            student = replace(encoded, tokens=renumber(encoded.tokens))
            minutes = run.minutes
            if matching is not None and guide is not None:
                spent = phases.match(lesson, matching, guide.model.encoder, encoded, student, stored)
                minutes = minutes and max(0.0, minutes - spent / 60)
            task = phases.answer(lesson, student, soft, minutes)
        parameters = sum(weight.numel() for weight in checkpoint.model.parameters() if weight.requires_grad)
        return _neural.Neural("distilled", task, checkpoint, parameters, run.device, seconds + saved)

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model."""
        from headstart.contenders import _generative, _neural

        if task.generates:
            return _generative.load("distilled", folder, task, extra)
        return _neural.load("distilled", folder, task, extra)

    # --- teacher and student ---------------------------------------------------------------------------------

    def _teacher(self, train: Rows, validation: Rows, task: Task, run: Run) -> tuple[Fitted, float]:
        """Return the fitted teacher, and the seconds of its training if it was trained before."""
        from headstart.checkpoints import folder as checkpoints
        from headstart.contenders import _neural
        from headstart.saved import model_folder

        if self.members:
            return _members.fitted(self.teacher, train, validation, task, run, self.backbone)
        if manifest.there(Path(self.teacher)):
            teacher = model_folder.open_model(Path(self.teacher))
        elif task.generates:
            raise UsageError(
                f"teacher {shown(self.teacher)} is no contender and no folder saved by Headstart, which it must be "
                "where answers are written; teach with seq2seq or finetuned:full."
            )
        else:
            loaded = checkpoints.load(self.teacher)
            if loaded.head is None or loaded.fresh:
                raise UsageError(
                    f"teacher '{self.teacher}' was never fine-tuned: it has no classifier; fine-tune it first, "
                    "or teach with finetuned:full."
                )
            plan = task.head()
            if (loaded.head.suffix, loaded.head.problem) != (plan.suffix, plan.problem) or task.kind == "number":
                # Nobody says in which units another library's model predicts numbers.
                raise UsageError(
                    f"teacher '{self.teacher}' is not known to predict what this task asks for; teach with a model "
                    "that Headstart saved for the same task, or with finetuned:full."
                )
            # Labels of tokens are not the task's classes but made of them, and an answer has none.
            classes = task.classes if loaded.head.labels == plan.labels or not task.classes else loaded.head.labels
            teacher = _neural.Neural("finetuned", replace(task, classes=classes), loaded, 0)
        if (teacher.task.kind, teacher.task.generates) != (task.kind, task.generates):
            kinds = (f"{each.kind}, written" if each.generates else each.kind for each in (teacher.task, task))
            raise UsageError(
                "teacher '{}' predicts answers of the kind '{}', but the task asks for '{}'; fine-tune it on such rows "
                "first.".format(self.teacher, *kinds)
            )
        if teacher.task.tabular.width:
            raise UsageError(
                f"teacher '{self.teacher}' reads columns beside the text, which a student cannot; take one that reads "
                "the text alone, such as finetuned:full-text."
            )
        if sorted(teacher.task.classes) != sorted(task.classes):
            raise UsageError(
                f"teacher '{self.teacher}' knows the classes {', '.join(teacher.task.classes)}, but the rows have "
                f"{', '.join(task.classes)}; fine-tune it on such rows first."
            )
        return teacher, 0.0

    def _writer(
        self, teacher: Fitted | None, seconds: float, train: Rows, validation: Rows, task: Task, run: Run
    ) -> Fitted:
        """Train a student that writes, see `_student_writer`."""
        from headstart.contenders import _student_writer
        from headstart.contenders.seq2seq import Seq2Seq

        layers, width, feed_forward = shape(self.student)
        options = Seq2Seq(
            vocabulary=self.vocabulary or Seq2Seq.vocabulary,
            layers=layers,
            width=width,
            heads=heads(width),
            feed_forward=feed_forward,
            learning_rate=self.learning_rate,
            epochs=WRITER_EPOCHS * self.epochs,
        )
        weight = 1.0 if teacher is None else self.label_weight
        fitted = _student_writer.fit(options, weight, teacher, train, validation, task, run)
        fitted.reused_seconds = seconds
        return fitted

    def _name(self, guide: _neural.Neural | None, run: Run) -> str:
        """Identify a teacher by its content; one that is not a Transformer follows from the rows and the seed."""
        from headstart.activations import forward
        from headstart.checkpoints import contents

        if guide is not None:
            return forward.weights_key([guide.model], run.device)
        return "" if self.teacher == NONE or self.members else contents.sha256(self.teacher)

    def _student(self, guide: _neural.Neural | None, task: Task, texts: Sequence[str]) -> Checkpoint:
        """Build the student: with new blocks, or with some of the teacher's."""
        from headstart.checkpoints.folder import Checkpoint
        from headstart.checkpoints.header import find_family
        from headstart.distillation import objectives
        from headstart.nn.encoder import Encoder
        from headstart.nn.heads import Model
        from headstart.text import vocabulary

        if self.student.startswith("layers:"):
            return self._of_layers(guide)
        window = WINDOW if guide is None else guide.checkpoint.arguments["window"]
        if guide is None or self.vocabulary:
            size = self.vocabulary or OWN_VOCABULARY
            tokenizer = vocabulary.train(all_texts(task, texts), size, window=window)
            rows = tokenizer.size
        else:
            tokenizer, rows = guide.checkpoint.tokenizer, guide.checkpoint.arguments["vocabulary"]
        layers, width, feed_forward = shape(self.student)
        arguments: dict[str, Any] = {
            "vocabulary": rows,
            "width": width,
            "layers": layers,
            "heads": heads(width),
            "feed_forward": feed_forward,
            "window": window,
            "dropout": 0.1,
        }
        encoder = Encoder(**arguments)
        if guide is not None and not self.vocabulary:
            theirs = guide.model.encoder.embeddings
            if width <= theirs.word.embedding_dim:
                objectives.inherit(encoder.embeddings, theirs)
        plan = task.head()
        model = Model(encoder, find_family("bert", "").head(arguments, plan, arguments["dropout"], self.pooling))
        return Checkpoint(model, tokenizer, "bert", arguments, plan)

    def _of_layers(self, guide: _neural.Neural | None) -> Checkpoint:
        """Copy the teacher with only some of its layers."""
        from headstart.distillation import objectives
        from headstart.nn.encoder import Encoder

        wanted = objectives.numbers(self.student.removeprefix("layers:"))
        if guide is None or self.vocabulary:
            raise UsageError(
                f"the student {shown(self.student)} is made of a Transformer's layers and word pieces, which "
                f"{'a vocabulary of its own' if self.vocabulary else f'teacher {self.teacher!r}'} does not go with; "
                f"choose a shape such as {USUAL}."
            )
        most = len(guide.model.encoder.layers)
        if not wanted or not all(1 <= number <= most for number in wanted):
            raise UsageError(f"the student {shown(self.student)} must name layers of the teacher, from 1 to {most}.")
        if not isinstance(guide.model.encoder, Encoder):
            raise UsageError(
                f"the layers of a {guide.checkpoint.family} model depend on their position, so the student "
                f"{shown(self.student)} cannot be made of some of them; choose a shape such as {USUAL}."
            )
        model = copy.deepcopy(guide.model).requires_grad_(True)
        model.encoder.keep(wanted)
        return replace(guide.checkpoint, model=model, arguments={**guide.checkpoint.arguments, "layers": len(wanted)})

    def _inside(self, student: Stack, teacher: Stack) -> objectives.TinyBert | objectives.MiniLm:
        from headstart.distillation import objectives
        from headstart.nn.encoder import Encoder

        if not isinstance(student, Encoder) or not isinstance(teacher, Encoder):
            raise UsageError(
                f"the method {shown(self.method)} compares attention as BERT's family computes it, which the teacher "
                "is not of; set distilled.method=logits."
            )
        if self.method == "minilm":
            return objectives.MiniLm(student, teacher)
        own = self.student.startswith("layers:")
        wanted = self.student.removeprefix("layers:") if own else self.layers
        layers = objectives.layer_map(wanted, len(student.layers), len(teacher.layers))
        return objectives.TinyBert(student, teacher, layers)


def shape(student: str) -> tuple[int, int, int]:
    """Parse a student's layers, width and feed-forward width.

    Raises:
        UsageError: it is not a shape.

    >>> shape("4x256"), shape("tinybert")
    ((4, 256, 1024), (4, 312, 1200))
    """
    if student in SHAPES:
        return SHAPES[student]
    parts = student.split("x")
    if not 2 <= len(parts) <= 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise UsageError(
            f"no student {shown(student)}; give layers x width, such as {USUAL}, or {', '.join(SHAPES)}, "
            "or layers:1+3+5."
        )
    layers, width, *more = map(int, parts)
    return layers, width, more[0] if more else 4 * width


def heads(width: int) -> int:
    """Choose a number of attention heads: 12, as in most teachers, or the most that leave each wide enough."""
    return next(n for n in HEADS if width % n == 0 and (width // n >= LEAST_HEAD or n == 1))


PLUGIN = Distilled
