"""What a model's folder holds, as one hash: the same content under two paths is the same, a changed file is another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headstart.checkpoints import hub, peft
from headstart.core.hashing import file_sha256
from headstart.core.opening import guarded
from headstart.core.sealed import SEAL

# Other frameworks' weights, what a training leaves for itself, costs and notes: no answer depends on them.
IGNORED_SUFFIXES = {".h5", ".msgpack", ".ot", ".onnx", ".tflite", ".md", ".pt", ".pth", ".lock", ".log"}
IGNORED_NAMES = {
    SEAL,
    "pretraining.json",
    "int8.json",
    "trainer_state.json",
    "training_args.bin",
    "optimizer.bin",
    "LICENSE",
}


def sha256(source: str) -> str:
    """Hash what the answers of a model depend on: weights, configuration, tokenizer, classes.

    A LoRA adapter's hash holds that of the model beneath it.

    Args:
        source: as `hub.find` takes it.

    Raises:
        UsageError, CheckpointError: as `hub.find`.
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
    """Yield the files of a folder, and of folders inside it their configuration and weights; see `_modules`."""
    safe = any(folder.glob("*.safetensors"))
    for path in [*folder.iterdir(), *folder.glob("*/config.json"), *folder.glob("*/model.safetensors")]:
        left_out = path.suffix in IGNORED_SUFFIXES or path.name in IGNORED_NAMES or path.name.startswith(".")
        if path.is_file() and not left_out and not (safe and path.suffix == ".bin"):
            yield path.relative_to(folder).as_posix(), path
