"""What are columns beside the text worth? The size of Debian packages, from their descriptions, sections and tags.

The number is the decimal logarithm of a package's installed size in kB plus one. The parts are the table's own, between
which no source package is divided. Section and tags are chosen by the maintainer and not by the size, so both are known
before it. Differences are paired over the same test rows.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks._common import ROOT, parquet, percent, record, show

CONTENDERS = ("majority", "linear", "linear:text", "linear:columns")
COLUMNS = ("section", "labels")


def main() -> None:
    """Run the comparison (a few minutes), write its record and show it."""
    import numpy as np
    import polars

    from headstart import compare

    frame = polars.read_parquet(
        parquet("debian_descriptions_en"), columns=["description", *COLUMNS, "installed_size", "part"]
    )
    sizes = np.round(np.log10(1 + frame["installed_size"].to_numpy()), 4)
    frame = frame.drop("installed_size").with_columns(polars.Series("size", sizes))
    train, validation, test = (frame.filter(frame["part"] == part).drop("part") for part in ("train", "dev", "test"))
    comparison = compare(
        train,
        task="regression",
        text="description",
        columns={"number": "size"},
        features=COLUMNS,
        validation=validation,
        test=test,
        contenders=CONTENDERS,
        metric="R2",
        seeds=1,
        sizes=("all",),
        out=ROOT / "runs" / "benchmark-columns",
    )
    result = comparison.result
    worth = [dataclasses.asdict(each) for each in result.columns]
    record(
        "columns",
        {
            "data": "descriptions of Debian packages",
            "columns": COLUMNS,
            "metric": result.metric,
            "train_rows": len(result.splits.train),
            "test_rows": len(result.splits.test),
            "leaderboard": comparison.leaderboard,
            "differences": worth,
            "verdict": list(comparison.verdict),
        },
    )
    show("columns", sentence(comparison.leaderboard, worth, len(result.splits.test)))


def sentence(leaderboard: list[dict[str, Any]], worth: list[dict[str, Any]], rows: int) -> str:
    """Return what the record says in one sentence."""
    scores = {line["contender"]: percent(line["score"], line["low"], line["high"]) for line in leaderboard}
    gains = {
        each["role"]: percent(each["difference"]["value"], each["difference"]["low"], each["difference"]["high"], "+")
        for each in worth
        if each["contender"] == "linear"
    }
    return (
        f"Measured (`python -m benchmarks columns`): the logarithm of the size of {rows:,} Debian packages from "
        f"description, section and tags has 100 x R2 {scores['linear']} with `linear`; {scores['linear:text']} from "
        f"the text alone (difference {gains['text']}) and {scores['linear:columns']} from the columns alone "
        f"(difference {gains['columns']})."
    )
