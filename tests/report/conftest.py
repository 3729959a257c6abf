"""A made-up comparison that looks like a real one: six contenders, three seeds, four sizes, and hostile texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.core.records import Audit, Cost, Finding, Predictions, Record, Rejected, Rows, Splits, Table, Trial
from headstart.core.results import CurvePoint, Equivalent, Interval, LadderLevel, Result, Standing
from headstart.tasks.classification import Classification

CLASSES = ("negative", "neutral", "positive")
NASTY = (
    "Loved it <script>alert(1)</script> would watch again",
    "broken </style><style>body{display:none}</style> markup & 'quotes' \"double\"",
    "the answer is {{7*7}} and {% raw %} and ${jndi}",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "这家餐厅的服务非常好，下次还会再来，强烈推荐给大家。",
    "الخدمة كانت ممتازة والطعام لذيذ جدا",
    "reversed \u202eevil\u202c and bell \x07 and escape \x1b[31mred",
    "see <img src=http://example.com/x.png onerror=alert(2)> or https://example.com/page now",
)
PLAIN = (
    "The plot drags on for an hour before anything happens at all",
    "Great service, friendly people, and the food came out hot",
    "It was fine, nothing special, would maybe go back some day",
    "My flight was cancelled twice and nobody answered the phone",
    "Not bad at all, better than what everyone on here told me",
    "I can't say I was disappointed, but I expected a little more",
    "The battery died after two days and support never replied",
    "Simply wonderful from the first scene to the very last one",
)
# contender: accuracy at all rows, points lost per halving, latency ms, bytes, seconds, parameters, trained
MADE = {
    "majority": (0.42, 0.0, 0.001, 412, 0.001, 0, 0),
    "linear": (0.655, 0.022, 0.21, 4_310_000, 3.4, 61_204, 61_204),
    "scratch": (0.612, 0.034, 1.12, 5_020_000, 41.0, 1_043_971, 1_043_971),
    "finetuned:frozen": (0.701, 0.014, 5.9, 91_300_000, 22.0, 22_714_371, 1_155),
    "finetuned:partial": (0.741, 0.026, 6.0, 91_300_000, 74.0, 22_714_371, 3_550_467),
    "finetuned:full": (0.748, 0.031, 6.1, 91_300_000, 131.0, 22_714_371, 22_714_371),
}
SIZES = (100, 316, 1000, None)
TRAIN, TEST = 2240, 600
MACHINE = {
    "system": "Linux",
    "processor": "Example CPU @ 2.60GHz",
    "cores": 2,
    "device": "cpu",
    "threads": 2,
    "wait_policy": "passive",
    "load": 0.41,
    "python": "3.11.2",
    "packages": {"headstart": "0.1.0", "torch": "2.13.0", "numpy": "2.3.0"},
}


def accuracy_at(contender: str, size: int) -> float:
    top, slope, *_ = MADE[contender]
    return top - slope * np.log2(TRAIN / size)


def make_rows(rng: np.random.Generator, name: str, rows: int, start: int) -> Rows:
    texts = [f"{PLAIN[i % len(PLAIN)]} ({name} {i})" for i in range(rows)]
    texts[: len(NASTY)] = NASTY
    targets = rng.choice(CLASSES, size=rows, p=(0.42, 0.33, 0.25))
    targets[0] = "positive"
    ids = tuple(f"tweets.csv:{start + i}" for i in range(rows))
    return Rows(ids, tuple(texts), tuple(str(t) for t in targets))


def make_predictions(
    rng: np.random.Generator, contender: str, size: int, test: Rows, shared: np.ndarray
) -> Predictions:
    target = np.array([CLASSES.index(t) for t in test.targets])
    if contender == "majority":
        probabilities = np.tile(np.array([0.42, 0.33, 0.25], dtype=np.float32), (len(test), 1))
        return Predictions(("negative",) * len(test), CLASSES, probabilities)
    difficulty = 0.7 * shared + 0.3 * rng.random(len(test))
    right = difficulty < np.quantile(difficulty, accuracy_at(contender, size) + 0.008 * rng.standard_normal())
    wrong = (target + rng.choice((1, 2), size=len(test), p=(0.7, 0.3))) % 3
    answers = np.where(right, target, wrong)
    confidence = np.clip(0.95 - 0.5 * difficulty + 0.05 * rng.standard_normal(len(test)), 0.4, 0.99)
    probabilities = np.repeat(((1 - confidence) / 2)[:, None], 3, axis=1)
    probabilities[np.arange(len(test)), answers] = confidence
    return Predictions(tuple(CLASSES[i] for i in answers), CLASSES, probabilities.astype(np.float32))


def make_cost(contender: str, size: int, rng: np.random.Generator) -> Cost:
    _, _, latency, size_on_disk, seconds, parameters, trained = MADE[contender]
    took = seconds * (size / TRAIN) ** 0.8 * (1 + 0.05 * rng.random())
    speed = 3000 / max(latency, 0.01)
    return Cost(took, 180_000_000, parameters, trained, size_on_disk, latency, latency * 1.4, speed, 0.004)


def make_record(contender: str, size: int | None, seed: int, test: Rows, shared: np.ndarray) -> Record:
    rng = np.random.default_rng([seed, size or 0, list(MADE).index(contender)])
    rows = size or TRAIN
    predictions = make_predictions(rng, contender, rows, test, shared)
    accuracy = float(np.mean([p == t for p, t in zip(predictions.values, test.targets, strict=True)]))
    return Record(
        trial=Trial(contender, {}, size, seed),
        train_rows=rows,
        scores={"accuracy": accuracy, "macro-F1": accuracy - 0.03},
        clean_scores=None,
        validation={"accuracy": accuracy + 0.004},
        calibration={"ece": 0.05},
        cost=make_cost(contender, rows, rng),
        data_sha256="b" * 64,
        machine=MACHINE,
        commit="543f71d0c0ffee",
        made=f"2026-11-23T22:{10 + seed:02d}:00+00:00",
        path=f"runs/tweets/trials/{contender.replace(':', '-')}-{rows}-{seed}.json",
        predictions=predictions,
    )


def make_standing(contender: str, records: list[Record], leader: float) -> Standing:
    scores = [r.scores["accuracy"] for r in records]
    mean, spread = float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    error = 1.96 * float(np.sqrt(mean * (1 - mean) / TEST))
    gap = leader - mean
    first = gap == 0
    return Standing(
        contender=contender,
        score=Interval(mean, mean - error, mean + error),
        spread=spread,
        seeds=len(records),
        p_value=None if first else (0.21 if gap < 0.02 else 0.0004),
        difference=None if first else Interval(gap, gap - 0.021, gap + 0.021),
        ties=not first and gap < 0.02,
        clean=None,
        scores={"accuracy": mean, "macro-F1": mean - 0.03},
        calibration_error=0.031,
        cost=records[0].cost,
    )


def make_ladder(standings: list[Standing]) -> tuple[LadderLevel, ...]:
    """Three levels: the floor, one that adds much, and one that ties."""
    by_name = {s.contender: s for s in standings}
    low, mid, top = (by_name[name] for name in ("majority", "linear", "finetuned:full"))
    gain = Interval(0.235, 0.201, 0.268)
    return (
        LadderLevel("floor", low.contender, low.score, low.cost),
        LadderLevel("linear", mid.contender, mid.score, mid.cost, "majority", gain, 0.0002, False, EQUIVALENTS[4]),
        LadderLevel("full tuning", top.contender, top.score, top.cost, "linear", gain, 0.3, True, EQUIVALENTS[1]),
    )


def make_curve(records: list[Record]) -> tuple[CurvePoint, ...]:
    points = []
    for contender in MADE:
        for size in sorted({r.train_rows for r in records}):
            scores = [r.scores["accuracy"] for r in records if (r.trial.contender, r.train_rows) == (contender, size)]
            mean = float(np.mean(scores))
            spread = 0.004 + float(np.std(scores))
            points.append(CurvePoint(contender, size, mean, mean - 2 * spread, mean + 2 * spread, len(scores)))
    return tuple(points)


def make_audit() -> Audit:
    finding = Finding
    labels = {
        "train": {"negative": 940, "neutral": 740, "positive": 560},
        "validation": {"negative": 200, "neutral": 160, "positive": 120},
        "test": {"negative": 252, "neutral": 198, "positive": 150},
    }
    return Audit(
        rows={"train": TRAIN, "validation": 480, "test": TEST},
        labels=labels,
        findings=(
            finding("duplicates", "fine", 0, 0.0, "No text occurs twice."),
            finding(
                "conflicts",
                "warning",
                41,
                0.0123,
                "19 texts occur with different labels, 41 rows: no model can be right on all of them.",
                (("tweets.csv:3001", "tweets.csv:3002"), ("tweets.csv:3003", "tweets.csv:3005", "tweets.csv:3007")),
            ),
            finding("imbalance", "note", 940, 0.42, "The most frequent label, negative, makes up 42.0 % of the rows."),
        ),
    )


def make_result(seeds: int = 3, sizes: tuple[int | None, ...] = SIZES) -> Result:
    """Make the whole comparison; the same arguments give the same numbers."""
    rng = np.random.default_rng(7)
    train, validation, test = (
        make_rows(rng, "train", TRAIN, 2),
        make_rows(rng, "dev", 480, 2500),
        make_rows(rng, "test", TEST, 3000),
    )
    shared = rng.random(TEST)
    records = [make_record(c, n, s, test, shared) for c in MADE for n in sizes for s in range(seeds)]
    full = {c: [r for r in records if r.trial.contender == c and r.train_rows == TRAIN] for c in MADE}
    leader = max(float(np.mean([r.scores["accuracy"] for r in rs])) for rs in full.values())
    standings = sorted((make_standing(c, rs, leader) for c, rs in full.items()), key=lambda s: -s.score.value)
    curve = make_curve(records) if len(sizes) > 1 else ()
    equivalents = EQUIVALENTS if curve else ()
    audit = make_audit()
    skipped = {"fewshot": "needs the extra 'fewshot'"}
    bins = tuple((0.45 + 0.1 * i, 0.40 + 0.105 * i, 40 + 30 * i) for i in range(6))
    return Result(
        name="tweets",
        metric="accuracy",
        task="classification",
        rules=Classification(CLASSES),
        table=Table(
            "tweets.csv",
            Rows((), ()),
            {"text": ("text",), "label": ("sentiment",)},
            "a" * 64,
            (Rejected(17, "empty text"), Rejected(90, "the label is missing <b>here</b>")),
            ("read as windows-1252",),
        ),
        splits=Splits(train, validation, test, frozenset(), "b" * 64),
        audit=audit,
        records=tuple(records),
        standings=tuple(standings),
        curve=curve,
        equivalents=equivalents,
        ladder=make_ladder(standings),
        reliability={c: bins for c in MADE if c != "majority"},
        skipped=skipped,
        folder=Path("runs/tweets"),
    )


EQUIVALENTS = (
    Equivalent("scratch", "finetuned:full", 100, 0.611, Interval(2070.0, 1480.0, 2600.0), TRAIN),
    Equivalent("scratch", "finetuned:full", 316, 0.694, None, TRAIN),
    Equivalent("scratch", "finetuned:full", 1000, 0.724, None, TRAIN),
    Equivalent("scratch", "finetuned:full", TRAIN, 0.748, None, TRAIN),
    Equivalent("linear", "finetuned:full", 100, 0.611, Interval(590.0, 410.0, 880.0), TRAIN),
    Equivalent("linear", "finetuned:full", 316, 0.694, None, TRAIN),
    Equivalent("linear", "finetuned:full", 1000, 0.724, None, TRAIN),
    Equivalent("linear", "finetuned:full", TRAIN, 0.748, None, TRAIN),
    Equivalent("scratch", "finetuned:frozen", 100, 0.60, Interval(1711.0, 1320.0, 2190.0), TRAIN),
)


@pytest.fixture(scope="session", autouse=True)
def figures(equal_figures_drawn_once: None) -> None:
    """Share the figures of pages."""


@pytest.fixture(scope="session")
def result() -> Result:
    return make_result()


@pytest.fixture(scope="session")
def quick() -> Result:
    """One seed and no learning curve."""
    return make_result(seeds=1, sizes=(None,))
