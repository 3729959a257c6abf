"""Upload a saved model to the Hugging Face hub: the files that its manifest lists and its card, nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.checkpoints import hub, manifest
from headstart.core import downloads
from headstart.core.errors import CheckpointError, HeadstartError, UsageError, shown

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKEN = "HF_TOKEN"  # the environment variable
# Files that a repository may hold without being another model's.
NEUTRAL = (".gitattributes", ".gitignore", manifest.CARD, "LICENSE", "LICENSE.md", "LICENSE.txt")


def push(folder: str | Path, address: str, *, public: bool = False) -> str:
    """Upload a model to a repository of the hub as one commit, and return the address of its page.

    The folder's files are verified first. The repository is created if it does not exist; the files of an earlier
    model of Headstart there are replaced, and those that the new one lacks are deleted. The hub is that of the
    environment variable ``HF_ENDPOINT``, by default huggingface.co, and the token that of ``HF_TOKEN``.

    Args:
        folder: the model folder, such as ``runs/NAME/best``.
        address: ``hf://owner/name``.
        public: whether a repository that is created is public; one that exists stays as it is.

    Raises:
        UsageError: another form of address, or no token.
        CheckpointError: the folder is no model or is damaged, or a file of it is a link to another folder; or the hub
            refuses, does not answer, or has another model in that repository.
    """
    repo = repository(address)
    names = uploaded(Path(folder))
    token = _token()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    with _explained(repo, api):
        page = api.create_repo(repo, private=not public, exist_ok=True)
        there = api.list_repo_files(repo)
        others = sorted(set(there) - {*names, *NEUTRAL})
        if others and manifest.NAME not in there:
            raise CheckpointError(
                f"{page} holds something else ({shown(others[0])}); name a repository that is new, or that holds a "
                "model of Headstart."
            )
        add = [CommitOperationAdd(name, str(Path(folder) / name)) for name in names]
        gone = [CommitOperationDelete(name) for name in others]
        api.create_commit(repo, [*add, *gone], commit_message="Upload a model with Headstart")
    return str(page)


def repository(address: str) -> str:
    """Return the name of the repository in an address.

    Raises:
        UsageError: it is no address of a repository.
    """
    match = hub.ADDRESS.fullmatch(address)
    if not match or match["revision"]:
        raise UsageError(f"cannot push to {shown(address)}: write hf://owner/name.")
    return match["repo"]


def uploaded(folder: Path) -> list[str]:
    """Return the files of a model that are uploaded, after verifying the folder.

    Raises:
        CheckpointError: see `checkpoints.manifest.verify`; or the card is a link to another folder.
    """
    names = sorted({*manifest.verify(folder).files, manifest.NAME})
    names += [name for name in sorted(manifest.UNLISTED) if (folder / name).exists()]
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(f"'{folder / name}' is a link to another folder; replace it by the file itself.")
    return names


def _token() -> str:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise UsageError(f"pushing needs a token with write access in the environment variable {TOKEN}.")
    return token


@contextmanager
def _explained(repo: str, api: HfApi) -> Iterator[None]:
    """Turn the errors of the hub's client into one sentence each.

    Raises:
        UsageError: no repository can have that name.
        CheckpointError: the hub refuses, or does not answer.
    """
    from huggingface_hub import errors

    try:
        yield
    except HeadstartError:
        raise
    except errors.HFValidationError as error:
        raise UsageError(f"cannot push to hf://{repo}: no repository can have that name.") from error
    except errors.HfHubHTTPError as error:
        raise CheckpointError(_refusal(repo, api.endpoint, error.response.status_code)) from error
    except errors.OfflineModeIsEnabled as error:
        raise CheckpointError(f"no answer from {api.endpoint}: unset HF_HUB_OFFLINE.") from error
    except Exception as error:  # of the client, of its connections, or of what it parses
        kinds = [kind.__name__ for kind in type(error).__mro__]
        answers = not any(kind in kinds for kind in (*downloads.NO_ANSWERS, "OSError"))
        what, advice = ("bad answer from", "check HF_ENDPOINT") if answers else ("no answer from", "check the network")
        raise CheckpointError(
            f"{what} {api.endpoint} ({kinds[0]}): {advice} and push again; nothing or all of a model is published."
        ) from error


def _refusal(repo: str, endpoint: str, status: int) -> str:
    if status == 401:
        return f"{endpoint} does not accept the token in {TOKEN}: make a new one with write access."
    if status == 403:
        return f"the token in {TOKEN} may not write to {repo} on {endpoint}: check its rights and the owner's name."
    if status == 404:
        return f"no owner or repository {repo} on {endpoint}, or the token in {TOKEN} may not see it: check the name."
    return f"{endpoint} refused the model for {repo} (status {status}): try again later."
