"""The share of the tokens that the contenders' windows truncate, before anything is trained and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from headstart.contest import backbones, plan
from headstart.core import rooms
from headstart.core.contracts import Task, Value, all_texts
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.long_texts import LongTexts
from headstart.core.records import Finding, Rows
from headstart.core.text_tasks import TextTask, by_likelihood

if TYPE_CHECKING:
    from headstart.contenders.decoder import DecoderAlone
    from headstart.contenders.finetuned import Finetuned
    from headstart.contenders.scratch import Scratch
    from headstart.contenders.seq2seq import Seq2Seq
    from headstart.text.tokenizer import Tokenizer

MUCH = 0.05  # of all tokens
READERS = ("scratch", "seq2seq", "finetuned")


def truncation(shares: Mapping[str, float]) -> Finding:
    """Return a finding on the share of all tokens that each contender's window truncates.

    Args:
        shares: contender -> share of the tokens, 0 to 1.

    >>> truncation({"linear": 0.0, "scratch": 0.02}).sentence
    "Long texts are truncated to the model's window: scratch does not read 2.0 % of all tokens."
    """
    cut = {name: share for name, share in shares.items() if share > 0}
    if not cut:
        return Finding("truncation", "fine", 0, 0.0, "No text is too long for any contender's window.")
    unread = ", ".join(f"{name} does not read {100 * share:.1f} %" for name, share in cut.items())
    worst = max(cut.values())
    sentence = f"Long texts are truncated to the model's window: {unread} of all tokens."
    return Finding("truncation", "warning" if worst > MUCH else "note", 0, worst, sentence)


def readers(options: Mapping[str, Value] | None = None) -> tuple[Scratch, Seq2Seq, Finetuned]:
    """Return the contenders whose windows are counted, with their options.

    Args:
        options: 'contender.option' -> value.

    Raises:
        UsageError: an unknown option, or one of another contender.
    """
    given = plan.by_owner(options or {})
    for owner, values in given.items():
        if owner not in READERS:
            raise UsageError(
                f"option '{owner}.{next(iter(values))}' changes nothing that a check counts; give those of "
                f"{', '.join(READERS[:-1])} or {READERS[-1]}, such as scratch.long=mean."
            )
    scratch, seq2seq, finetuned = (rooms.load("contenders", name, given.get(name)) for name in READERS)
    return scratch, seq2seq, finetuned


def findings(
    task: Task, rows: Rows, backbone: str | Sequence[str], options: Mapping[str, Value] | None = None
) -> list[Finding]:
    """Return findings on truncation, and on backbones that do not cover the language or cannot be opened.

    Args:
        task: says how inputs become tokens: some read long texts in windows.
        rows: for training.
        backbone: one or several, see `contest.backbones`.
        options: see :func:`readers`.
    """
    from headstart.contenders import _generative
    from headstart.contest import language
    from headstart.text import vocabulary

    scratch, seq2seq, finetuned = readers(options)
    long = LongTexts(finetuned.long, finetuned.most_windows)
    texts = all_texts(task, rows.inputs)
    tokenizers: dict[str, Tokenizer] = {}
    answers_cut_off = []
    if task.generates:
        answers = [cast(TextTask, task).accepted(target)[0] for target in rows.targets]
        writer: Seq2Seq | DecoderAlone = rooms.load("contenders", "decoder") if by_likelihood(task) else seq2seq
        own = _generative.own_tokenizer(task, rows, writer.vocabulary, writer.window)
        tokenizers[writer.name] = own
        answers_cut_off = _of_answers(writer.name, own.encode(answers).cut_off)
    else:
        own = vocabulary.train(texts, scratch.vocabulary, window=scratch.window)
        tokenizers["scratch"] = own.reading(LongTexts(scratch.long, scratch.most_windows))
    closed = []
    opened = {}
    for name, source in backbones.named(backbones.read(backbone)).items():
        try:
            opened[source] = backbones.open_tokenizer(source, task)
            tokenizers[f"finetuned@{name}" if name else "finetuned"] = opened[source].reading(long)
        except (UsageError, CheckpointError) as error:
            sentence = f"The backbone {shown(source)} cannot be opened, so nothing can be fine-tuned from it: {error}"
            closed.append(Finding("backbone", "warning", 0, 0.0, sentence))
    cut_off = truncation({name: task.encode(rows.inputs, made).cut_off for name, made in tokenizers.items()})
    return [cut_off, *answers_cut_off, *language.findings(opened, texts), *closed]


def _of_answers(writer: str, share: float) -> list[Finding]:
    """Return what there is to say of answers of which a share of the tokens (0 to 1) is beyond the window."""
    sentence = (
        f"Long answers are truncated to the model's window: {writer} does not learn {100 * share:.1f} % of their "
        "tokens."
    )
    return [Finding("truncation", "warning" if share > MUCH else "note", 0, share, sentence)] if share else []
