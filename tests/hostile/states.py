"""Every file that a comparison leaves, half way or at its end, damaged in every way, before the same command again."""

from __future__ import annotations

import itertools
import random
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.hostile import _compare
from tests.hostile._common import Case, Outcome
from tests.hostile._compare import Moment

CASES = 320
STATE = re.compile(r"/(checkpoint\.safetensors|metrics\.jsonl|plan\.json|collapsed\.json|[^/]+\.(rows|index))$")
# Of each scene: what was running, and when it was killed; at the end where there is no moment.
SCENES: dict[str, tuple[str, Moment | None]] = {
    "linear, fitting": ("linear", Moment(contender="linear", stage="fitting", done=0.5)),
    "frozen, solving": ("frozen", Moment(contender="finetuned:frozen", stage="solving", done=0.5)),
    "partial, training": ("partial", Moment(contender="finetuned:partial", stage="training", done=0.8)),
    "full, training": ("full", Moment(contender="finetuned:full", stage="training", done=0.8)),
    "collapsed, in its second training": ("collapsed", Moment(contender="scratch", stage="training", done=0.8)),
    "distilled, matching": ("distilled", Moment(contender="distilled:1x16", stage="matching", done=0.8)),
    "distilled, answers": ("distilled", Moment(contender="distilled:1x16", stage="training", done=0.8)),
    "selfpretrained, pretraining": (
        "selfpretrained",
        Moment(contender="selfpretrained", stage="pretraining", done=0.8),
    ),
    "selfpretrained, fine-tuning": ("selfpretrained", Moment(contender="selfpretrained", stage="training", done=0.8)),
    "ensemble, taking": ("ensemble", Moment(contender="ensemble", stage="taking scratch")),
    "full, finished": ("full", None),
    "ensemble, finished": ("ensemble", None),
}


def flip(path: Path) -> None:
    """Change a bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def to_folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut to half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit flipped": flip,
    "garbage": lambda path: path.write_bytes(random.Random(0).randbytes(1000)),
    "a folder": to_folder,
    "[]": lambda path: path.write_bytes(b"[]"),
}


def cases(seed: int = 0) -> Iterator[Case]:
    """Yield cases, those in `work` first; of the others a sample, in which each file and each damage is once."""
    candidates = [(scene, path) for scene in SCENES for path in files(scene)]
    # A flipped bit is the hardest to see, so each file has one.
    chosen = [(one, "a bit flipped") for one in candidates]
    others = itertools.cycle(name for name in DAMAGES if name != "a bit flipped")
    rest = [(one, next(others)) for one in candidates for _ in range(len(DAMAGES) - 1)]
    # What a training has left for its next start comes first.
    rest.sort(key=lambda case: not STATE.search(case[0][1]))
    for (scene, path), how in [*chosen, *rest][: max(CASES, len(chosen))]:
        yield Case("states", f"{scene}: {nameless(path)}: {how}", partial(judge, scene, path, how))


def files(scene: str) -> list[str]:
    """List the files of a scene that hold something, as paths inside its folder."""
    folder = place(scene)
    paths = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def nameless(path: str) -> str:
    """Leave out of a path the hashes in it but for their first letters."""
    return re.sub(r"([0-9a-f]{6})[0-9a-f]{10}", r"\1", path)


def place(scene: str) -> Path:
    """Return the folder that a scene left; made now unless it is there."""
    kind, moment = SCENES[scene]
    if moment is None:
        return _compare.finished(kind)
    return _compare.killed(re.sub(r"\W+", "-", scene), kind, moment)


def judge(scene: str, path: str, how: str, folder: Path) -> Outcome:
    """Damage one file of a copy, run the same command again, and compare what it finds."""
    kind, _ = SCENES[scene]
    out = folder / "run"
    shutil.copytree(place(scene), out, copy_function=shutil.copy2)
    DAMAGES[how](out / path)
    return verdict(kind, out)


def verdict(kind: str, out: Path) -> Outcome:
    """Run a comparison again and judge it: what an undisturbed one finds, or a sentence that names a file."""
    ended = _compare.run(out, kind)
    lines = ended.err.strip().splitlines()
    if ended.code is None:
        return Outcome("WRONG", f"no end after {_compare.SECONDS} seconds")
    if ended.code != 0:
        sentence = lines[-1] if lines else ""
        if "unexpected error" in sentence or not sentence.startswith("headstart: ") or ended.code < 0:
            return Outcome("WRONG", f"exit code {ended.code}: {sentence}")
        if str(out) not in sentence:
            return Outcome("WRONG", f"names no file: {sentence}")
        return Outcome("clear error", sentence)
    try:
        results = _compare.results(out)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Outcome("WRONG", f"no message, and unreadable results: {error}")
    expected = _compare.undisturbed(kind)
    different = [name for name in {**expected, **results} if results.get(name) != expected.get(name)]
    if different:
        return Outcome("WRONG", f"no message, and different results: {', '.join(map(str, different))}")
    return Outcome("right")
