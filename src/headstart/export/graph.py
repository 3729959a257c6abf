"""Models as ONNX files, in float32 and with 8-bit weights, and in OpenVINO's format."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from headstart.core.errors import UsageError
from headstart.core.files import writing
from headstart.nn.heads import Model

Output = Literal["logits", "probabilities", "several", "spans"]

# LayerNormalization and Gelu are operations of their own from 17 and 20 on.
OPSET = 20
LARGEST = 2_000_000_000  # bytes; protobuf cannot hold more than 2 GB in one file
EXTRAS = {"onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "onnxruntime", "openvino")}


@dataclass(frozen=True)
class Quantisation:
    """A way to 8 bits.

    method: 'dynamic' to find the scale of each product's inputs in every call, 'static' to fix it beforehand.
    spared: layers of the blocks whose weights remain in float32: 'up' and 'down' of the feed-forward network. The
        inputs of 'down' have the largest outliers, and one scale for all of them leaves few steps for the others.
    """

    method: Literal["dynamic", "static"]
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} except {' and '.join(self.spared)}" if self.spared else self.method


def check_installed(to: str) -> None:
    """Check that the packages of a format are installed.

    Raises:
        UsageError: one is missing.
    """
    for name in EXTRAS[to]:
        try:
            importlib.import_module(name)
        except ImportError:
            raise UsageError(f"--to {to} needs the package {name}: pip install 'headstart[{to}]'.") from None


def write(model: Model, path: Path, inputs: Collection[str] = (), output: Output = "logits") -> None:
    """Write a model as one ONNX file that reads padded texts, any number of any length.

    The file is written by torch's exporter that traces a call: the newer one takes many times as long.

    Args:
        model: on the CPU.
        path: the file.
        inputs: what the model reads besides 'input_ids' and 'attention_mask', by the names of the arguments of
            `nn.padded.Padded`, or of `export._outputs.Spans`.
        output: what it returns: 'logits', the 'probabilities' of one class or of 'several', or 'spans'.

    Raises:
        UsageError: the file would be too large.
    """
    import torch

    from headstart.export import _outputs
    from headstart.nn.padded import Padded

    size = sum(weight.numel() for weight in model.parameters()) * 4
    if size > LARGEST:
        raise UsageError(
            f"the model has {size / 1e9:.1f} GB of weights, and one ONNX file holds at most {LARGEST / 1e9:.0f} GB; "
            "export a smaller one."
        )
    ids = torch.ones(3, 7, dtype=torch.long)
    columns = model.head.columns
    by_windows = "windows" in inputs
    examples = {
        "input_ids": ids,
        "attention_mask": ids,
        "token_type_ids": torch.zeros_like(ids),
        "features": torch.ones(2 if by_windows else 3, 1 if columns is None else columns.in_features),
        "windows": torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        "marks": torch.tensor([[1, 2], [3, 4], [5, 6]]),
        "readable": torch.ones(3, 7),
    }
    texts, rows = "texts" if by_windows else "rows", {0: "rows", 1: "length"}
    axes = {**dict.fromkeys(examples, rows), "features": {0: texts}, "windows": {0: texts, 1: "rows"}}
    axes |= {"marks": {0: "rows"}, "logits": rows if model.head.reads_all else {0: texts}}
    axes |= {name: {0: texts} for name in ("probabilities", "scores", "first", "last")}
    given = {name: examples[name] for name in ("input_ids", "attention_mask", *inputs)}
    called: torch.nn.Module
    if output == "spans":
        called, names = _outputs.Spans(model), ["scores", "first", "last"]
    elif output == "logits":
        called, names = Padded(model), ["logits"]
    else:
        called, names = _outputs.Shares(model, output == "several"), ["probabilities"]
    with writing(path), _quiet(), torch.no_grad():
        torch.onnx.export(
            called,
            (),
            str(path),
            kwargs=given,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(given),
            output_names=names,
            dynamic_axes={name: axes[name] for name in (*given, *names)},
        )


def quantise(source: Path, path: Path, how: Quantisation, batches: Sequence[dict[str, np.ndarray]]) -> None:
    """Write a model's 8-bit version: weights of matrix products have 8 bits, with one scale per output.

    Weights have seven bits, since processors without 8-bit dot products (VNNI) add two products in 16 bits, which
    overflows silently with eight.

    Args:
        source: the float32 file.
        path: the file to write.
        how: the way.
        batches: inputs of the model by which the scales are fixed; not used by 'dynamic'.
    """
    import onnx
    from onnxruntime import quantization

    # Linear layers are of the kind Gemm, which "dynamic" turns into MatMul first, with a longer name.
    names = [node.name for node in onnx.load(str(source)).graph.node if set(how.spared) & set(node.name.split("/"))]
    kinds = {
        "op_types_to_quantize": ["MatMul", "Gemm"],
        "per_channel": True,
        "reduce_range": True,
        "nodes_to_exclude": [*names, *(f"{name}_MatMul" for name in names)],
    }
    options = {"MatMulConstBOnly": True}  # attention stays in float32
    with writing(path), _quiet():
        if how.method == "dynamic":
            quantization.quantize_dynamic(
                source, path, weight_type=quantization.QuantType.QInt8, extra_options=options, **kinds
            )
            return
        prepared = path.with_suffix(".prepared.onnx")
        quantization.shape_inference.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            path,
            _Batches(batches),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options=options,
            **kinds,
        )
        prepared.unlink()


class _Batches:
    """Batches, in the form in which onnxruntime asks for them."""

    def __init__(self, batches: Sequence[dict[str, np.ndarray]]):
        self._left = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def to_openvino(source: Path, path: Path) -> None:
    """Write an ONNX file in OpenVINO's format: `path` and a file of weights beside it, in the same precision."""
    import openvino

    with writing(path):
        # Not `convert_model`, which takes a comma in a path for a list.
        openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore what the libraries say about their own future and about packages that are not needed."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
