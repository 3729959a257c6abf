"""The backbones of a comparison: parsed from one text, and named so that contenders on several are distinguishable."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.checkpoints import hub, manifest
from headstart.core.contracts import Task
from headstart.core.errors import UsageError
from headstart.core.records import Trial

if TYPE_CHECKING:
    from headstart.text.tokenizer import Tokenizer


def read(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the named backbones, from a sequence or a comma-separated text; each once, in order.

    Raises:
        UsageError: none is named.

    >>> read("minilm, e5-small,minilm"), read(["minilm"])
    (('minilm', 'e5-small'), ('minilm',))
    """
    one = isinstance(given, str) and ("," not in given or Path(given).expanduser().is_dir())
    parts = [given] if one else given.split(",") if isinstance(given, str) else given
    once: dict[str, str] = {}
    for part in filter(None, (str(part).strip() for part in parts)):
        folder = Path(part).expanduser()
        # A folder may be written in several ways; the name of a packaged model is never a folder's.
        once.setdefault(str(folder.resolve()) if part not in hub.PACKAGED and folder.is_dir() else part, part)
    sources = tuple(once.values())
    if not sources:
        raise UsageError("no backbone is named; give a folder, a packaged model, or hf://owner/name.")
    return sources


def named(sources: Sequence[str]) -> Mapping[str, str]:
    """Return names of backbones for the leaderboard: name -> source; '' if there is only one, which needs no name.

    A name is the end of a path or address, extended if two ends are the same.

    >>> dict(named(["minilm"]))
    {'': 'minilm'}
    >>> dict(named(["minilm", "hf://owner/bert-tiny", "/models/a/bert-tiny", "/models/b/bert-tiny"]))
    ... # doctest: +NORMALIZE_WHITESPACE
    {'minilm': 'minilm', 'owner-bert-tiny': 'hf://owner/bert-tiny', 'a-bert-tiny': '/models/a/bert-tiny',
     'b-bert-tiny': '/models/b/bert-tiny'}
    """
    if len(sources) == 1:
        return {"": sources[0]}
    parts = [_parts(source) for source in sources]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["-".join(some[-depth:]) for some in parts]
        if len(set(names)) == len(names):
            return dict(zip(names, sources, strict=True))
    return {f"{name}-{number}": source for number, (name, source) in enumerate(zip(names, sources, strict=True), 1)}


def name_of(source: str) -> str:
    """Name one backbone as :func:`named` does if no other has the same end.

    >>> name_of("hf://owner/bert-tiny@v1")
    'bert-tiny-v1'
    """
    return _parts(source)[-1]


def _parts(source: str) -> list[str]:
    """Split a source into parts without the characters that separate parts of leaderboard names."""
    if source in hub.PACKAGED:
        return [source]
    address = source.startswith("hf://")
    path = source.removeprefix("hf://").split("/") if address else Path(source).expanduser().absolute().parts
    if cached := re.fullmatch(r"models--(.+)", path[-3] if len(path) > 2 and path[-2] == "snapshots" else ""):
        path = cached[1].split("--")  # the hub's cache stores a model in models--OWNER--NAME/snapshots/COMMIT
    parts = [re.sub(r"[^\w.-]+", "-", part).strip("-") for part in path]
    return [part for part in parts if part] or ["model"]


def open_tokenizer(source: str, task: Task) -> Tokenizer:
    """Open the tokenizer of a backbone, which may be a decoder where answers are written.

    Raises:
        UsageError: it cannot be found.
        CheckpointError: it cannot be opened.
    """
    from headstart.checkpoints import generating, header  # loads torch, which naming backbones does not need
    from headstart.contenders import _causal

    if task.generates and generating.writes(source):
        return _causal.shortened(generating.open_tokenizer(source))
    return header.open_header(source).tokenizer


def open_all(trials: Sequence[Trial], task: Task) -> dict[str, Tokenizer]:
    """Open the backbones and teachers of a comparison, so that a damaged one ends it now, not after an hour.

    Returns:
        the tokenizers of the backbones that are fine-tuned.

    Raises:
        UsageError: one cannot be found.
        CheckpointError: one cannot be opened.
    """
    from headstart.checkpoints import header  # loads torch, which naming backbones does not need

    opened: dict[str, Tokenizer] = {}
    everything = itertools.chain.from_iterable((trial, *trial.members) for trial in trials)
    for backbone in dict.fromkeys(trial.options["backbone"] for trial in everything if "strategy" in trial.options):
        opened[backbone] = open_tokenizer(backbone, task)
    teachers = {trial.options.get("teacher", "none") for trial in trials if not trial.members} - {"none"}
    for teacher in sorted(teachers):
        folder = hub.find(teacher)
        if manifest.there(folder):  # a model saved here need not be a Transformer
            manifest.verify(folder)
        else:
            header.open_header(teacher)
    return opened
