"""Parts of programs that read texts with two marked entities."""

import json
from pathlib import Path

import numpy as np
import tokenizers

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


# <parts>
def parts_of(text: str) -> tuple[list[str], dict[str, int]]:
    """Divide a text at its entities, with a mark on both sides of each, and return the parts that open entities."""
    parts: list[str] = []
    opens = {}
    for name in sorted(TASK["marks"], key=lambda name: text.index(f"<{name}>")):
        before, _, rest = text.partition(f"<{name}>")
        entity, _, text = rest.partition(f"</{name}>")
        mark = f" {TASK['marks'][name]}"
        opens[name] = len(parts) + 1
        parts += [before.rstrip(), mark, f" {entity.strip()}", mark]
    return [*parts, text], opens


# </parts>
# <encoded>
def read(text: str) -> tuple[list[int], list[int]]:
    """Return the tokens of a text, those around its marks if there are too many, and the places of two marks."""
    parts, opens = parts_of(text)
    limit = TASK["characters"]  # of each end of a part
    parts = [part if len(part) <= 2 * limit else f"{part[:limit]} {part[-limit:]}" for part in parts]
    clear = [part.encode("utf-8", "replace").decode() for part in parts]
    encodings = TOKENIZER.encode_batch(clear, add_special_tokens=False)
    body = [number for each in encodings for number in each.ids]
    marks = [sum(len(each.ids) for each in encodings[: opens[name]]) for name in TASK["marks"]]
    room = max(2, TASK["window"] - len(TASK["opening"]) - len(TASK["closing"]))
    if len(body) > room:
        first, last, half = min(marks), max(marks), (room + 1) // 2
        if last - first < half:
            start = min(max(0, (first + last) // 2 - room // 2), len(body) - room)
            kept = [*range(start, start + room)]
        else:
            start = min(max(0, first - half // 2), len(body) - room)
            again = min(max(start + half, last - room // 2 // 2), len(body) - room // 2)
            kept = [*range(start, start + half), *range(again, again + room // 2)]
        body, marks = [body[place] for place in kept], [kept.index(mark) for mark in marks]
    return [*TASK["opening"], *body, *TASK["closing"]], [len(TASK["opening"]) + mark for mark in marks]


def encoded(texts: list[str]) -> dict[str, np.ndarray]:
    """Turn texts into inputs of the model."""
    rows = [read(text) for text in texts]
    shape = len(rows), max(len(ids) for ids, _ in rows)
    inputs = {"input_ids": np.full(shape, TASK["padding"]), "attention_mask": np.zeros(shape, np.int64)}
    for row, (ids, _) in enumerate(rows):
        inputs["input_ids"][row, : len(ids)], inputs["attention_mask"][row, : len(ids)] = ids, 1
    return {**inputs, "marks": np.array([marks for _, marks in rows])}


# </encoded>
