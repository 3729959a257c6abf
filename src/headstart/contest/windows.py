"""The share of the tokens that the contenders' windows truncate, before anything is trained and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.contest import backbones, language
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.records import Finding

MUCH = 0.05  # of all tokens


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


def findings(texts: Sequence[str], backbone: str | Sequence[str]) -> list[Finding]:
    """Return findings on truncation, and on backbones that do not cover the language or cannot be opened.

    Args:
        texts: of the training rows.
        backbone: one or several, see `contest.backbones`.
    """
    from headstart.checkpoints import header
    from headstart.contenders.scratch import Scratch
    from headstart.text import vocabulary

    scratch = Scratch()
    tokenizers = {"scratch": vocabulary.train(texts, scratch.vocabulary, window=scratch.window)}
    closed = []
    opened = {}
    for name, source in backbones.named(backbones.read(backbone)).items():
        try:
            opened[source] = header.open_header(source).tokenizer
            tokenizers[f"finetuned@{name}" if name else "finetuned"] = opened[source]
        except (UsageError, CheckpointError) as error:
            sentence = f"The backbone {shown(source)} cannot be opened, so nothing can be fine-tuned from it: {error}"
            closed.append(Finding("backbone", "warning", 0, 0.0, sentence))
    cut_off = truncation({name: made.encode(texts).cut_off for name, made in tokenizers.items()})
    return [cut_off, *language.findings(opened, texts), *closed]
