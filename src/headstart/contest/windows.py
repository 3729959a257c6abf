"""The share of the tokens that the contenders' windows cut off, before anything is trained and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.contest import backbones, language
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.records import Finding

MUCH = 0.05  # of all tokens cut off


def truncation(shares: Mapping[str, float]) -> Finding:
    """Report the share of all tokens that each contender does not see, since its window cuts them off.

    Args:
        shares: contender -> share of the tokens, 0 to 1.

    >>> truncation({"linear": 0.0, "scratch": 0.02}).sentence
    'The window cuts off the ends of long texts, which the model then does not see: scratch 2.0 % of all tokens.'
    """
    cut = {name: share for name, share in shares.items() if share > 0}
    if not cut:
        return Finding("truncation", "fine", 0, 0.0, "No text is too long for any contender's window.")
    listed = ", ".join(f"{name} {100 * share:.1f} %" for name, share in cut.items())
    worst = max(cut.values())
    sentence = f"The window cuts off the ends of long texts, which the model then does not see: {listed} of all tokens."
    return Finding("truncation", "warning" if worst > MUCH else "note", 0, worst, sentence)


def findings(texts: Sequence[str], backbone: str | Sequence[str]) -> list[Finding]:
    """Report what windows would cut off, and which backbones do not know the language or cannot be opened.

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
