"""Every figure has a record: read the predictions of the test rows, and list the most confident mistakes."""

import json
from pathlib import Path

import headstart

texts = [f"The {noun} is {word}, day {day}" for day in range(30) for noun in ("room", "food") for word in ("ok", "bad")]
labels = ["fine", "poor"] * 60
labels[::10] = ["poor"] * 12  # a few wrong labels

headstart.compare((texts, labels), contenders=["linear"], sizes=[], out="runs/stays")
rows = []
for trial in headstart.read_result("runs/stays")["trials"]:
    with Path(trial["path"]).with_suffix(".jsonl").open(encoding="utf-8") as file:
        rows += [json.loads(line) for line in file]
wrong = [row for row in rows if row["predicted"] != row["target"]]
print(f"{len(wrong)} of {len(rows)} test rows are predicted wrongly.")
for row in sorted(wrong, key=lambda row: -row["confidence"])[:5]:
    print(f"{row['id']}: labelled {row['target']}, predicted {row['predicted']} ({row['confidence']:.2f})")
