"""One changed byte, digit or line in each file of a finished comparison: the same result, or an error that names it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile import _runs
from tests.hostile._common import Case, Outcome

from headstart import api
from headstart.core.errors import HeadstartError

AREA = "records"
CONTENDERS = ("majority", "scratch")
# Patterns of a run folder's files, and how often each is damaged in each way.
FILES = {
    "data.json": 3,
    "result.json": 2,
    "trials/*.json": 4,
    "trials/*.jsonl": 4,
    "models/*.json": 3,
    "models/*/headstart.json": 3,
    "models/*/*.safetensors": 2,
    "models/*/config.json": 2,
    "best/headstart.json": 2,
    "best/majority.json": 1,
    "best/*.safetensors": 1,
    "best/*.json": 2,
    "test_openings.jsonl": 1,
    "report.html": 1,
}
# 'majority' wins the comparison of both and has no weights: the files of a model with weights are those of one alone.
ALONE = {"best/*.safetensors": ("scratch",), "best/*.json": ("scratch",)}
WAYS = ("digit", "byte", "cut", "gone", "line")


def contenders_of(pattern: str) -> tuple[str, ...]:
    """Return the contenders of the comparison whose files a pattern names."""
    return ALONE.get(pattern, CONTENDERS)


def damage(path: Path, way: str, chance: random.Random) -> bool:
    """Damage a file; return whether there was anything to damage so."""
    content = path.read_bytes()
    if way == "gone":
        path.unlink()
        return True
    if way == "cut":
        path.write_bytes(content[: chance.randrange(len(content))])
        return True
    if way == "line":
        lines = content.splitlines(keepends=True)
        del lines[chance.randrange(len(lines))]
        path.write_bytes(b"".join(lines))
        return True
    places = [place for place, byte in enumerate(content) if way == "byte" or chr(byte).isdigit()]
    if not places:
        return False
    place = chance.choice(places)
    new = content[place] ^ 1 << chance.randrange(8) if way == "byte" else ord(str((content[place] - 47) % 10))
    path.write_bytes(content[:place] + bytes([new]) + content[place + 1 :])
    return True


def changed(pattern: str, way: str, seed: int) -> Callable[[Path], Outcome]:
    """Give a case of one damaged file of a finished comparison."""

    def run(place: Path) -> Outcome:
        chance = random.Random(f"{pattern} {way} {seed}")
        contenders = contenders_of(pattern)
        wanted = _runs.expected(contenders)
        out = place / "run"
        shutil.copytree(_runs.finished(contenders), out)
        path = chance.choice(sorted(out.glob(pattern)))
        if not damage(path, way, chance):
            return Outcome("right")
        name = path.relative_to(out).as_posix()
        if pattern == "result.json":  # read before it is written anew
            try:
                known = api.read_result(_runs.finished(contenders))
                if api.read_result(out) != known:
                    return Outcome("WRONG", "read_result: another result in silence")
            except HeadstartError as error:
                if str(path) not in str(error):
                    return Outcome("WRONG", f"read_result does not name {name}: {error}")
        if pattern.startswith("best/"):
            try:
                answers = api.open_model(out / "best").predict(_runs.data()[0][:8])
                if (answers.values, answers.probabilities.tobytes()) != wanted["best"]:
                    return Outcome("WRONG", f"{name}: another prediction in silence")
            except HeadstartError as error:
                if str(path) not in str(error) and str(path.parent) not in str(error):
                    return Outcome("WRONG", f"open_model does not name {name}: {error}")
        try:
            facts = _runs.facts(_runs.compare(out, contenders))
        except HeadstartError as error:
            # What is gone has no name; then the folder is named.
            named = (str(out) if way == "gone" else path.stem) in str(error) and "\n" not in str(error)
            return Outcome("clear error" if named else "WRONG", f"{name}: {error}")
        except Exception as error:
            return Outcome("WRONG", f"{name}: {type(error).__name__}: {error}")
        if facts != wanted:
            return Outcome("WRONG", f"{name}: other results in silence")
        return Outcome("right")

    return run


def cases(seed: int = 0) -> Iterator[Case]:
    """List the cases; `seed` chooses the places that are damaged."""
    for pattern, times in FILES.items():
        for way in WAYS:
            for number in range(times):
                yield Case(AREA, f"{pattern}: {way} {number}", changed(pattern, way, seed + number))
