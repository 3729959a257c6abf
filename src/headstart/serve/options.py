"""The options of the command, checked before anything heavy is loaded."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import stat
from pathlib import Path

from headstart.checkpoints import manifest
from headstart.core.abstain import parse
from headstart.core.errors import UsageError, shown
from headstart.serve.limits import Limits

NEEDS = ("fastapi", "prometheus_client", "uvicorn")
LEAST_TOKEN = 16  # characters


def check(model: Path, host: str, token_file: Path | None, limits: Limits, abstain: str | None = None) -> str | None:
    """Check the options, and return the token that requests must carry; None for none.

    Raises:
        UsageError: a missing package, as for :func:`read_token` and :func:`check_host`, or limits that exclude all;
            or a rule of abstaining that cannot be parsed.
        CheckpointError: no such model folder, or one whose manifest is damaged.
    """
    if any(importlib.util.find_spec(name) is None for name in NEEDS):
        raise UsageError("serving needs FastAPI, uvicorn and prometheus-client: pip install 'headstart[serve]'.")
    token = None if token_file is None else read_token(token_file)
    check_host(host, token)
    if limits.queue < limits.inputs:
        raise UsageError(
            f"--queue {limits.queue} is below --max-inputs {limits.inputs}, so a full request could never wait; give "
            "at least as many."
        )
    if abstain is not None:
        parse(abstain)
    manifest.read(model)
    return token


def read_token(file: Path) -> str:
    """Read the token that requests must carry.

    Raises:
        UsageError: the file cannot be read, or anyone may read it; or the token is short, or not printable ASCII.
    """
    try:
        readable = os.name == "posix" and file.stat().st_mode & stat.S_IROTH
        token = file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        token, readable = "", False
    except OSError as error:
        raise UsageError(f"cannot read the token in {shown(file)}: {error.strerror}.") from error
    if readable:
        raise UsageError(f"every user of this machine can read the token in {shown(file)}: run chmod 600 on it.")
    if len(token) < LEAST_TOKEN or not token.isprintable() or " " in token:
        raise UsageError(
            f"the token in {shown(file)} must be at least {LEAST_TOKEN} letters, digits or signs without spaces, such "
            "as what 'openssl rand -hex 32' prints."
        )
    return token


def check_host(host: str, token: str | None) -> None:
    """Check that only this machine can reach a server without a token.

    Raises:
        UsageError: others can.
    """
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if token is None and not local:
        raise UsageError(
            f"others could use the model at {shown(host)}; give --token-file FILE with a token that they must send, or "
            "leave --host at 127.0.0.1."
        )
