"""What an export is written as, and where: checked before torch is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from headstart.core.errors import UsageError, did_you_mean, shown

Format = Literal["onnx", "openvino"]
FORMATS: tuple[Format, ...] = get_args(Format)
CERTIFICATE = "certificate.json"


def check(to: str, out: Path) -> Format:
    """Return the format, after checking that nothing but an earlier export is replaced.

    Args:
        to: name of the format.
        out: the folder to write.

    Raises:
        UsageError: no such format, or a folder with other content.
    """
    for known in FORMATS:
        if to == known:
            break
    else:
        raise UsageError(f"no format {shown(to)} (--to); {did_you_mean(to, FORMATS)}")
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / CERTIFICATE).is_file())):
        raise UsageError(f"'{out}' exists and holds no export: name another folder with --out.")
    return known
