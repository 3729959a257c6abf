"""Where is the time of a training step spent? A trace of our steps, by kind of operation, on sentences and reviews."""

from __future__ import annotations

from benchmarks import training
from benchmarks._common import record, show, table

# The profiler's operators, by self time; all others are 'everything else'.
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm"),
    "attention": (
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
        "_Attend",
        "_AttendBackward",
        "aten::as_strided",
        "aten::copy_",
    ),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "dropout": ("_Drop", "_DropBackward", "aten::random_", "aten::addcmul"),
    "layer norm": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "embedding": ("aten::embedding_dense_backward", "aten::index_select"),
    "optimiser and clipping": ("aten::_fused_adamw_", "aten::linalg_vector_norm", "Optimizer.step#AdamW.step"),
}
THREADS = (1, 2)


def main() -> None:
    """Trace six steps of each kind of text on one and two threads (a minute) and write the record."""
    import torch

    loads = (training.sentences(), training.reviews())
    shares = {}
    for load in loads:
        for threads in THREADS:
            torch.set_num_threads(threads)
            step = training.ours(load, 0.1)
            for place in range(training.WARM):
                step(place)
            # The halves of a step run in threads that the profiler did not start.
            everywhere = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
            with torch.profiler.profile(experimental_config=everywhere) as traced:
                for place in range(training.STEPS):
                    step(place)
            shares[f"{load.name}, {threads}t"] = _by_kind(traced)
    record("trace", {"shares": shares})
    lines = [[kind, *(f"{100 * of[kind]:.1f}" for of in shares.values())] for kind in [*KINDS, "everything else"]]
    show("trace", table(["% of a step", *shares], lines))


def _by_kind(traced: object) -> dict[str, float]:
    """Sum the self times of operators by kind, as shares of the total."""
    taken = {event.key: event.self_cpu_time_total for event in traced.key_averages()}  # type: ignore[attr-defined]  # a profile given as an object
    total = sum(taken.values())
    shares = {kind: sum(taken.get(name, 0) for name in names) / total for kind, names in KINDS.items()}
    return {**shares, "everything else": 1.0 - sum(shares.values())}
