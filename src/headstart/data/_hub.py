"""Data sets on the Hugging Face hub: ``hf://datasets/owner/name[@revision][/path/in/repo]`` -> a file here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from headstart.core import downloads
from headstart.core.errors import DataError, UsageError, did_you_mean
from headstart.data._files import SUFFIXES

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf://"
ADDRESS = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.+))?")


def fetch(address: str) -> Path:
    """Download one data file, or find it in the hub's cache, and return its path.

    The hub is that of the environment variable ``HF_ENDPOINT``, by default huggingface.co. A slash inside a revision is
    written ``%2F``.

    Raises:
        UsageError: an invalid address, or a data set with several data files and none named.
        DataError: no such data set, revision or file, one that needs a login, or no response from the hub.
        DiskError: the hub's cache cannot be written.
    """
    match = ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(
            f"cannot read the address {address}: write hf://datasets/owner/name[@revision][/path/in/repo]."
        )
    repo, revision, path = match["repo"], match["revision"] and unquote(match["revision"]), match["path"]
    from huggingface_hub import HfApi, errors

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        with downloads.limited(api.endpoint):
            info = api.dataset_info(repo, revision=revision)
            files = downloads.listed(info)
            path = path or _choose(repo, [file for file in files if file.lower().endswith(SUFFIXES)])
            if path not in files:
                raise DataError(f"data set {repo} has no file {path}; {did_you_mean(path, files)}")
            return downloads.fetch(api, "dataset", repo, revision, info.sha, [path]) / path
    except errors.HFValidationError as error:
        raise UsageError(f"cannot read the address {address}: no repository can have that name.") from error
    except errors.GatedRepoError as error:
        raise DataError(f"data set {repo} needs its terms accepted on {api.endpoint}, then 'hf auth login'.") from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(f"no data set {repo} on {api.endpoint}, or it is private: check the name.") from error
    except errors.RevisionNotFoundError as error:
        raise DataError(f"data set {repo} has no revision '{revision}': check it, or leave it out.") from error
    except downloads.DownloadError as error:
        if (cached := _cached(api, repo, revision, path)) is not None:
            return cached
        raise DataError(f"{error}: {error.advice}, or download the file and give its path.") from error


def _cached(api: HfApi, repo: str, revision: str | None, path: str | None) -> Path | None:
    """Return the file that an earlier download left in the hub's cache."""
    try:
        if path is not None:
            return Path(api.hf_hub_download(repo, path, repo_type="dataset", revision=revision, local_files_only=True))
    except OSError:  # it does not exist
        pass
    return None


def _choose(repo: str, files: list[str]) -> str:
    """Return the only data file of a repository, or ask which."""
    if not files:
        raise DataError(f"data set {repo} has no CSV, TSV, JSON Lines or Parquet file.")
    if len(files) > 1:
        listed = ", ".join(sorted(files)[:8]) + (", ..." if len(files) > 8 else "")
        raise UsageError(f"which file of {repo}? It has {listed}: write hf://datasets/{repo}/{min(files)} or another.")
    return files[0]
