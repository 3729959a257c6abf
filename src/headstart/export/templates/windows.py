"""Part of programs that read texts beyond the model's window: several windows, or both ends."""

import json
from pathlib import Path

import numpy as np
import tokenizers

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


# <encoded>
def token_ids(text: str) -> list[int]:
    """Return the tokens of a text, without special ones."""
    clear = text.encode("utf-8", "replace").decode()
    ids: list[int] = TOKENIZER.encode(clear, add_special_tokens=False).ids
    return ids


def windows_of(text: str) -> list[list[int]]:
    """Return the tokens of each window of a text."""
    windows: list[list[int]] = []
    limit, opening, closing = TASK["characters"], TASK["opening"], TASK["closing"]
    # <head_tail>
    text = text if len(text) <= 2 * limit else f"{text[:limit]} {text[-limit:]}"
    body = token_ids(TASK["prefix"] + text)
    room = TASK["window"] - len(opening) - len(closing)
    if len(body) > room:
        body = body[: room // 4] + body[len(body) - (room - room // 4) :]
    windows += [[*opening, *body, *closing]]
    # </head_tail>
    # <several>
    body = token_ids(TASK["prefix"] + text[: limit * TASK["most_windows"]])
    prefix = token_ids(TASK["prefix"].strip())  # each window repeats it
    prefix = prefix if len(body) > len(prefix) and body[: len(prefix)] == prefix else []
    body = body[len(prefix) :]
    room = max(1, TASK["window"] - len(opening) - len(closing) - len(prefix))
    count = max(1, min(-(-len(body) // room), TASK["most_windows"]))
    ends = [min(len(body), count * room) * number // count for number in range(count + 1)]
    windows += [[*opening, *prefix, *body[ends[n] : ends[n + 1]], *closing] for n in range(count)]
    # </several>
    return windows


def encoded(texts: list[str]) -> dict[str, np.ndarray]:
    """Turn texts into inputs of the model."""
    windows = [windows_of(text) for text in texts]
    rows = [ids for of_text in windows for ids in of_text]
    shape = len(rows), max(map(len, rows))
    inputs = {"input_ids": np.full(shape, TASK["padding"]), "attention_mask": np.zeros(shape, np.int64)}
    for row, ids in enumerate(rows):
        inputs["input_ids"][row, : len(ids)], inputs["attention_mask"][row, : len(ids)] = ids, 1
    # <owners>
    inputs["windows"] = np.eye(len(texts), dtype=np.float32).repeat([len(each) for each in windows], axis=1)
    # </owners>
    return inputs


# </encoded>
