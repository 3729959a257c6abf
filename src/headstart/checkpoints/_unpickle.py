"""Convert PyTorch's pickled weights to safetensors, in a separate process with limited memory and time.

Run as a script by ``_pickles``, never imported: ``python -P _unpickle.py FOLDER SECONDS FILE...`` writes a safetensors
file for each FILE, or exits with a reason on standard error. The loader is torch's own for plain tensors
(``weights_only=True``), which builds nothing but tensors and containers of them; the limits are for what a damaged or
hostile file could still make it allocate.
"""

import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

# Address space in addition to what the process has already, in multiples of the file and in bytes: the loaded tensors,
# a contiguous copy of each, and the copy that is being written.
TIMES, BESIDE = 4, 2**30
# Tensors may share storage in the file (tied embeddings), so that they take more than the file; beyond this it is not a
# model.
MOST_TIMES, MOST_BESIDE = 4, 64 * 2**20


def limit(size: int, seconds: int) -> None:
    """Limit this process's memory and processor time if the system supports it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + TIMES * size + BESIDE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def convert(source: Path, target: Path) -> None:
    """Read a file of pickled tensors and write its floating-point tensors, each with its own memory."""
    stored = torch.load(source, map_location="cpu", weights_only=True)
    if not isinstance(stored, dict):
        sys.exit(f"it holds a {type(stored).__name__}, not a table of tensors")
    tensors = {str(name): value for name, value in stored.items() if isinstance(value, torch.Tensor)}
    tensors = {name: value for name, value in tensors.items() if value.is_floating_point()}
    if not tensors:
        sys.exit("it holds no tensors under names")
    for name, value in tensors.items():
        if value.layout is not torch.strided or value.is_quantized:
            sys.exit(f"'{name}' is a sparse or quantised tensor")
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    if size > MOST_TIMES * source.stat().st_size + MOST_BESIDE:
        sys.exit(f"its tensors would take {size:,} bytes, far more than the file")
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            sys.exit(f"'{name}' holds values that are not finite")
    save_file(
        {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()},
        target,
        metadata={"format": "pt"},
    )


def main(folder: Path, seconds: int, files: list[Path]) -> None:
    """Convert each file; the first that cannot be read ends the process with a reason."""
    limit(max(file.stat().st_size for file in files), seconds)
    for number, file in enumerate(files):
        try:
            convert(file, folder / f"model-{number:05}.safetensors")
        except Exception as error:  # whatever a damaged file makes the loader raise
            # The loader's own advice to load refused content in an unsafe way is left out.
            reason = re.search(r"(Unsupported|Trying to)[^\n]*?(?= Please|\n|$)", str(error))
            sys.exit(reason[0] if reason else f"{type(error).__name__}: {str(error).splitlines()[:1]}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
