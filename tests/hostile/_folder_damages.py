"""Ways to damage a model folder: each changes a copy of a sound one in place."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Damage = Callable[[Path], None]
MARKER = "HEADSTART_HOSTILE_MARKER"
ADDED = (
    *("adapter_config.json", "adapter_model.safetensors", "modules.json", "1_Pooling/config.json", "config.json.json"),
    *("2_Dense/model.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.safetensors.index.json"),
    *("tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spm.model", "int8.json"),
    *("special_tokens_map.json", "added_tokens.json", "words.safetensors", "adapter.safetensors", "member-9/x.json"),
)
HARMLESS = ("README.md", ".DS_Store", "notes.txt", ".cache/config.json")
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[]",
    "an object": b"{}",
    "a text": b'"x"',
    "a number": b"3",
    "null": b"null",
    "cut": b'{"a": ',
    "deep": b'{"a": ' * 50_000,
    "deep lists": b"[" * 100_000,
    "no UTF-8": b"\xff\xfe\x00",
    "a huge number": b'{"format": ' + b"9" * 5_000 + b"}",
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
}


def replaced(name: str, content: bytes) -> Damage:
    """Write other bytes."""

    def damage(place: Path) -> None:
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return damage


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change what a JSON file holds."""

    def damage(place: Path) -> None:
        stored = json.loads((place / name).read_bytes())
        change(stored)
        (place / name).write_text(json.dumps(stored))

    return damage


def valued(name: str, value: object, *keys: str) -> Damage:
    """Change one value of a JSON file, by the keys that lead to it."""

    def change(stored: dict[str, Any]) -> None:
        for key in keys[:-1]:
            stored = stored[key]
        stored[keys[-1]] = value

    return changed(name, change)


def weights(change: Callable[[dict[str, torch.Tensor], str], object], name: str = "model.safetensors") -> Damage:
    """Change tensors; the change is given the table and the name of one matrix of it."""

    def damage(place: Path) -> None:
        path = place / name
        table = load_file(path)
        matrices = sorted(key for key in table if table[key].ndim == 2)
        change(table, next((key for key in matrices if "layer" in key or "block" in key), matrices[0]))
        save_file({key: value.contiguous() for key, value in table.items()}, path, metadata={"format": "pt"})

    return damage


def put(make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, torch.Tensor], str], object]:
    """Replace one matrix."""

    def change(table: dict[str, torch.Tensor], key: str) -> None:
        table[key] = make(table[key])

    return change


def _all(kind: torch.dtype) -> Callable[[dict[str, torch.Tensor], str], object]:
    return lambda table, key: table.update({name: value.to(kind) for name, value in table.items()})


def _one(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def make(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[1] = value
        return tensor

    return make


# Of which the answers may differ by rounding.
CONVERTED = {"float16": weights(_all(torch.float16)), "bfloat16": weights(_all(torch.bfloat16))}
SAME = {"float64": weights(_all(torch.float64)), "another tensor": weights(lambda t, k: t.update(extra=torch.ones(3)))}
TENSORS: dict[str, Damage] = {
    "NaN": weights(put(_one(float("nan")))),
    "infinity": weights(put(_one(float("inf")))),
    "beyond float32": weights(put(lambda value: value.double() * 1e300)),
    "whole numbers": weights(put(lambda value: value.to(torch.int64))),
    "8-bit numbers": weights(put(lambda value: value.to(torch.int8))),
    "8-bit floats": weights(put(lambda value: value.to(torch.float8_e4m3fn))),
    "truth values": weights(put(lambda value: value > 0)),
    "transposed and cut": weights(put(lambda value: value.T[1:].clone())),
    "a row more": weights(put(lambda value: torch.cat([value, value[:1]]))),
    "a row less": weights(put(lambda value: value[1:].clone())),
    "three dimensions": weights(put(lambda value: value[None])),
    "a single number": weights(put(lambda value: value[0, 0].clone())),
    "no rows": weights(put(lambda value: value[:0].clone())),
    "missing": weights(lambda table, key: table.pop(key)),
    "renamed": weights(lambda table, key: table.update({f"x.{key}": table.pop(key)})),
    "spelt twice": weights(lambda table, key: table.update({key.split(".", 1)[1]: table[key] + 1})),
    "nothing": weights(lambda table, key: table.clear() or table.update(x=torch.ones(2, 2))),
}


def _header(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change the header of the weights, and not the numbers behind it."""

    def damage(place: Path) -> None:
        path = place / "model.safetensors"
        data = path.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        change(header)
        written = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(written)) + written + data[8 + size :])

    return damage


def _cut(share: float) -> Damage:
    def damage(place: Path) -> None:
        path = place / "model.safetensors"
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return damage


def _overlap(header: dict[str, Any]) -> None:
    first, second = [part for name, part in header.items() if name != "__metadata__"][:2]
    second["data_offsets"] = [first["data_offsets"][0], first["data_offsets"][0] + second["data_offsets"][1]]


def _huge(header: dict[str, Any]) -> None:
    part = next(part for name, part in header.items() if name != "__metadata__")
    part["shape"], part["data_offsets"] = [10**9, 10**9], [0, 4 * 10**18]


FILES: dict[str, Damage] = {
    "cut in the header": _cut(0.001),
    "cut in the middle": _cut(0.5),
    "cut at the end": _cut(0.999),
    "offsets that overlap": _header(_overlap),
    "a tensor of 10^18 numbers": _header(_huge),
    "a header that is a list": replaced("model.safetensors", struct.pack("<Q", 2) + b"[]"),
    "a header of 10^18 bytes": replaced("model.safetensors", struct.pack("<Q", 10**18) + b"{}"),
    "a header of no JSON": replaced("model.safetensors", struct.pack("<Q", 8) + b"\xff" * 8),
    "an unknown kind": _header(lambda header: [p.update(dtype="Q4") for n, p in header.items() if n != "__metadata__"]),
    "zeros": replaced("model.safetensors", bytes(4096)),
    **{f"weights: {name}": replaced("model.safetensors", content) for name, content in CONTENTS.items()},
}


def _instead(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(place: Path) -> None:
        path = place / name
        path.unlink(missing_ok=True)
        make(path)

    return damage


def _in_a_circle(path: Path) -> None:
    other = path.with_name(f"{path.name}-2")
    path.symlink_to(other)
    other.symlink_to(path)


def names(name: str) -> dict[str, Damage]:
    """List what may be there under the name of a file."""
    return {
        "missing": _instead(name, lambda path: None),
        "a folder": _instead(name, lambda path: path.mkdir()),
        "a link to itself": _instead(name, lambda path: path.symlink_to(path.name)),
        "links in a circle": _instead(name, _in_a_circle),
        "a link to nothing": _instead(name, lambda path: path.symlink_to("/nowhere/at/all")),
        "a link to a device": _instead(name, lambda path: path.symlink_to("/dev/zero")),
        "a pipe": _instead(name, os.mkfifo),
    }


def linked_outside(name: str) -> Damage:
    """Move a file out of the folder and link to it, as the hub's cache does."""

    def damage(place: Path) -> None:
        outside = place.with_name("outside")
        outside.mkdir(exist_ok=True)
        (place / name).rename(outside / name)
        (place / name).symlink_to(outside / name)

    return damage


class _Code:
    """A pickle that runs a command when it is read."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {os.environ[MARKER]}",)


def _pickled(make: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(place: Path) -> None:
        path = place / "pytorch_model.bin"
        torch.save(make(torch.load(path, weights_only=True)), path)

    return damage


def _code(place: Path) -> None:
    (place / "pytorch_model.bin").write_bytes(pickle.dumps(_Code()))


PICKLES: dict[str, Damage] = {
    "code": _code,
    "code in a table": _pickled(lambda table: {**table, "x": _Code()}),
    "a list": _pickled(lambda table: list(table.values())),
    "no tensors": _pickled(lambda table: {"x": 1}),
    "a whole module": _pickled(lambda table: torch.nn.Linear(2, 2)),
    "NaN": _pickled(lambda table: {name: value * float("nan") for name, value in table.items()}),
    "whole numbers": _pickled(lambda table: {name: value.long() for name, value in table.items()}),
    "a tensor repeated": _pickled(lambda table: {**table, "x": torch.zeros(1).expand(10**9)}),
    "sparse": _pickled(lambda table: {name: value.to_sparse() for name, value in table.items()}),
    **{f"file: {name}": replaced("pytorch_model.bin", content) for name, content in CONTENTS.items()},
}
