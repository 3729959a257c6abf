"""One hash of the content of a model folder: a copy has the same hash, a changed file another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headstart.checkpoints import hub, peft
from headstart.core.hashing import file_sha256
from headstart.core.opening import guarded
from headstart.core.sealed import SEAL

# Other frameworks' weights, checkpoints of a training, costs and notes: no prediction depends on them.
IGNORED_SUFFIXES = {".h5", ".msgpack", ".ot", ".onnx", ".tflite", ".md", ".pt", ".pth", ".lock", ".log"}
IGNORED_NAMES = {
    SEAL,
    "pretraining.json",
    "int8.json",
    "explanation.json",
    "trainer_state.json",
    "training_args.bin",
    "optimizer.bin",
    "LICENSE",
}


def sha256(source: str) -> str:
    """Hash everything the predictions of a model depend on: weights, configuration, tokenizer, classes.

    A LoRA adapter's hash includes that of its base model.

    Args:
        source: as for `hub.find`.

    Raises:
        UsageError: as for `hub.find`.
        CheckpointError: as for `hub.find`.
    """
    with guarded(source):
        folder = hub.find(source)
        adapter = peft.find(folder)
        digest = _sha256(folder)
        if adapter is not None:
            digest.update(_sha256(peft.base_folder(adapter)).hexdigest().encode())
        return digest.hexdigest()


def _sha256(folder: Path) -> hashlib._Hash:
    digest = hashlib.sha256()
    for name, path in sorted(_files(folder)):
        digest.update(f"{name}\n{file_sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return digest


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder, and of its subfolders the configuration and weights; see `_modules`."""
    safe = any(folder.glob("*.safetensors"))
    for path in [*folder.iterdir(), *folder.glob("*/config.json"), *folder.glob("*/model.safetensors")]:
        left_out = path.suffix in IGNORED_SUFFIXES or path.name in IGNORED_NAMES or path.name.startswith(".")
        if path.is_file() and not left_out and not (safe and path.suffix == ".bin"):
            yield path.relative_to(folder).as_posix(), path
