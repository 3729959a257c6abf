"""What is known of a pretrained model's origin without opening it: its page, its licence and its languages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from headstart.checkpoints import hub
from headstart.checkpoints.manifest import CARD

MOST = 2**16  # bytes of a card that are read
FRONT = re.compile(r"\A---\s*\n(.*?)^---", re.DOTALL | re.MULTILINE)
LICENCE = re.compile(r"""^license:[ \t]*["']?([A-Za-z0-9.-]{1,40})["']?[ \t]*$""", re.MULTILINE)


@dataclass(frozen=True)
class Origin:
    """Where a pretrained model comes from.

    name: readable name.
    page: its name on the hub, 'owner/name'; '' if it is not known to be there.
    licence: the hub's name of its licence, such as 'apache-2.0'; '' if unknown.
    language: the hub's name of its language, such as 'en'; '' if unknown.
    """

    name: str
    page: str = ""
    licence: str = ""
    language: str = ""


def origin(source: str) -> Origin:
    """Return what is known of a model, from its package or the card in its folder; nothing is downloaded.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``.

    >>> origin("minilm").licence, origin("minilm").page
    ('apache-2.0', 'sentence-transformers/all-MiniLM-L6-v2')
    """
    if (packaged := hub.PACKAGED.get(source)) is not None:
        return Origin(packaged.title, packaged.page, packaged.licence, packaged.language)
    if (match := hub.ADDRESS.fullmatch(source)) is not None:
        from huggingface_hub import try_to_load_from_cache

        card = try_to_load_from_cache(match["repo"], CARD, revision=match["revision"])
        return Origin(hub.title(source), match["repo"], _licence(Path(card)) if isinstance(card, str) else "")
    folder = Path(source).expanduser()
    return Origin(os.fspath(folder.name or folder.absolute().name), "", _licence(folder / CARD))


def _licence(card: Path) -> str:
    """Read the licence in a card's metadata; '' if it has none."""
    try:
        with card.open("rb") as file:
            text = file.read(MOST).decode("utf-8", errors="replace")
    except OSError:
        return ""
    front = FRONT.match(text)
    found = LICENCE.search(front[1]) if front else None
    return found[1].lower() if found else ""
