"""Names of people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.core.contracts import Kind
from headstart.stress import Edit, Expected, Transformation

# First names that are no other words of English, and full names of Chinese; each takes the place of one of its line.
LISTS = tuple(
    tuple(line.split())
    for line in (
        "James John Robert Michael David Richard Thomas Charles Daniel Matthew Anthony Steven Paul Andrew Kevin Brian "
        "George Edward Peter Ahmed Carlos Dmitri Hiroshi Kwame",
        "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Nancy Lisa Sandra Ashley Emily "
        "Michelle Laura Helen Anna Fatima Carmen Olga Yuki Amara",
        "王伟 李伟 张伟 刘洋 李强 张强 王磊 李军 张勇 李杰",
        "王芳 李娜 张敏 李静 王静 张丽 王丽 李敏 刘敏 王艳",
    )
)
_LIST = {name.lower(): names for names in LISTS for name in names}
_LATIN, _CHINESE = ("|".join(name for names in lists for name in names) for lists in (LISTS[:2], LISTS[2:]))
_NAME = re.compile(rf"\b(?:{_LATIN})\b|{_CHINESE}", re.IGNORECASE)


@dataclass(frozen=True)
class Names(Transformation):
    """Replace frequent names of people by others of the same kind, the same one wherever a name occurs.

    The answer stays unless it depends on who is meant.
    """

    expected: ClassVar[Expected] = "mostly same"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number", "facts"})

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each name."""
        salt = random.random()
        edits = []
        for match in _NAME.finditer(text):
            name = match[0]
            others = [other for other in _LIST[name.lower()] if other.lower() != name.lower()]
            new = Random(f"{salt} {name.lower()}").choice(others)
            edits.append(Edit(*match.span(), _written_as(name, new)))
        return edits


def _written_as(name: str, new: str) -> str:
    """Write a name in small letters or capitals as another one is."""
    return new.lower() if name.islower() else new.upper() if name.isupper() else new


PLUGIN = Names
