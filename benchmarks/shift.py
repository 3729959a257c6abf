"""What does a model lose in another language, or on products of other kinds?

The same test rows are predicted by a model that was trained elsewhere and by one that was trained at home, with equally
many rows, and their scores are compared on them in pairs. At home means: hotel reviews in the language of the test rows
(machine translations of the same reviews, of which none is in two parts), or shop reviews of all kinds of products,
those of the test rows included. Elsewhere means: hotel reviews in English, or shop reviews of other kinds of products.

SHIFT_CONTENDERS names what is trained (default: `CONTENDERS`, 40 minutes on one core). SHIFT_ROWS tries it on so many
training and test rows; no record is then written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from benchmarks._common import ROOT, answers, paired, parquet, percent, record, score_interval, show, table

if TYPE_CHECKING:
    import polars

CONTENDERS = "linear,finetuned:frozen"
BACKBONE, METRIC = "e5-small", "macro-F1"
LANGUAGES = {"de": "German", "zh": "Chinese"}
ELSEWHERE = (
    "书籍",
    "平板",
    "手机",
    "水果",
    "洗发水",
)  # books, tablets, telephones, fruit, shampoo; tested on the others
PRODUCTS = (4000, 400, 2000)  # rows for training, validation and testing


def main() -> None:
    """Train, compare and write the record."""
    rows = int(os.environ.get("SHIFT_ROWS", "0"))
    contenders = os.environ.get("SHIFT_CONTENDERS", CONTENDERS).split(",")
    results = []
    for name, elsewhere, home, test in shifts(rows):
        away = predictions(f"{name}, elsewhere", elsewhere, test, contenders, rows)
        own = predictions(f"{name}, at home", home, test, contenders, rows)
        for contender in contenders:
            results.append({"shift": name, "contender": contender, **compared(test, away[contender], own[contender])})
    lines = [
        [
            entry["shift"],
            entry["contender"],
            *(percent(*entry[part].values()) for part in ("elsewhere", "at home")),
            percent(*entry["difference"].values(), "+"),
        ]
        for entry in results
    ]
    text = table(["test rows", "contender", "trained elsewhere", "trained at home", "difference, points"], lines)
    if rows:
        print(text)
        return
    record("shift", {"backbone": BACKBONE, "metric": METRIC, "seeds": 1, "results": results})
    show("shift", text)


Frames = tuple["polars.DataFrame", "polars.DataFrame"]  # for training and for validation


def shifts(rows: int) -> list[tuple[str, Frames, Frames, polars.DataFrame]]:
    """Return of each shift its name, the rows to train on elsewhere and at home, and the test rows (0: all)."""
    import polars

    most = rows or None
    hotels = {}
    for code in ("en", *LANGUAGES):
        frame = polars.read_parquet(parquet(f"multiemo_hotels_{code}"), columns=["text", "label", "part"])
        hotels[code] = {
            part: frame.filter(frame["part"] == part).drop("part")[:most] for part in frame["part"].unique()
        }
    english = hotels["en"]["train"], hotels["en"]["dev"]
    languages: list[tuple[str, Frames, Frames, polars.DataFrame]] = [
        (f"hotels, {LANGUAGES[code]}", english, (hotels[code]["train"], hotels[code]["dev"]), hotels[code]["test"])
        for code in LANGUAGES
    ]
    shop = (
        polars.read_parquet(parquet("shopping_zh"))
        .unique("text", maintain_order=True)
        .sample(fraction=1.0, shuffle=True, seed=0)
    )
    outside = shop["category"].is_in(ELSEWHERE)
    train, validation, test = (min(rows, size) or size for size in PRODUCTS)
    inside = shop.filter(~outside)
    held_out, rest = (
        inside[:test],
        polars.concat([inside[test:], shop.filter(outside)]).sample(fraction=1.0, shuffle=True, seed=0),
    )
    pairs = (
        (part[:train].drop("category"), part[train : train + validation].drop("category"))
        for part in (shop.filter(outside), rest)
    )
    elsewhere, home = pairs
    return [*languages, ("shop reviews, other products", elsewhere, home, held_out.drop("category"))]


def predictions(
    name: str, trained: Frames, test: polars.DataFrame, contenders: list[str], rows: int
) -> dict[str, tuple[str, ...]]:
    """Train contenders and return the labels that each predicts for the test rows, in their order."""
    from headstart import compare

    result = compare(
        trained[0],
        task="classification",
        validation=trained[1],
        test=test,
        contenders=contenders,
        backbone=BACKBONE,
        metric=METRIC,
        seeds=1,
        sizes=("all",),
        out=ROOT / "runs" / f"benchmark-shift{rows or ''}" / name.replace(", ", "-").replace(" ", "-"),
    ).result
    assert result.splits.test.inputs == tuple(test["text"])
    return {contender: labels for contender, (labels,) in answers(result).items()}


def compared(test: polars.DataFrame, away: tuple[str, ...], own: tuple[str, ...]) -> dict[str, Any]:
    """Return both scores and their difference, with intervals over the test rows."""
    targets = test["label"].cast(str).to_list()
    difference = paired(targets, [away], [own], METRIC)
    return {
        "test_rows": len(test),
        "elsewhere": vars(score_interval(targets, [away], METRIC)),
        "at home": vars(score_interval(targets, [own], METRIC)),
        "difference": vars(difference.difference),
        "p_value": difference.p_value,
    }
