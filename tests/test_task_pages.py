"""The examples of docs/tasks run as they are, each in a folder with the files that it reads."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

PAGES = sorted((Path(__file__).parent.parent / "docs" / "tasks").glob("*.md"))
WORDS = [
    f"{first}{second}" for first in ("ba", "ke", "lo", "mi", "nu", "sa", "ti", "vo") for second in ("rel", "dan", "pis")
]
ROWS = 40


def sentence(rng, *more):
    """Random words in random order, so that no two rows are copies."""
    return " ".join(rng.permutation([*rng.choice(WORDS, 8), *more]))


def claims(rng):
    for number in range(ROWS):
        true = number % 2 == 0
        yield {"evidence": sentence(rng), "claim": sentence(rng, "yes" if true else "no"), "label": str(true)}


def relations(rng):
    kinds = {"Cause-Effect(e1,e2)": "brought", "Component-Whole(e1,e2)": "of"}
    for number in range(ROWS):
        label, word = list(kinds.items())[number % 2]
        text = f"{sentence(rng)} <e1>{rng.choice(WORDS)}</e1> {word} <e2>{rng.choice(WORDS)}</e2>"
        yield {"text": text, "label": label}


def people(rng):
    names, places = ("Ada Lovelace", "Li", "Turing"), ("London", "Rome")
    for _ in range(ROWS):
        name, place = str(rng.choice(names)).split(), str(rng.choice(places))
        words = [*rng.choice(WORDS, 4), *name, "lives", "in", place, "."]
        tags = ["O"] * 4 + ["B-person", "I-person"][: len(name)] + ["O", "O", "B-place", "O"]
        yield {"tokens": words, "tags": tags}


def thefts(rng):
    """Texts with one event of one of two types, with two arguments."""
    for number in range(ROWS):
        kind, verb = (("Theft", "stole"), ("Repair", "fixed"))[number % 2]
        text = f"{sentence(rng)}. {rng.choice(('Ada', 'Li'))} {verb} the {rng.choice(('car', 'safe'))}. Nobody saw it."
        start = text.index(verb)
        arguments = [
            {"role": "who", "start": text.index(". ") + 2, "end": start - 1},
            {"role": "what", "start": start + 6, "end": text.rindex(". ")},
        ]
        event = {"type": kind, "start": start, "end": start + 5, "arguments": arguments}
        yield {"text": text, "events": [event]}


def questions(rng):
    """SQuAD's form: articles of one paragraph, with a question that has an answer and one that has none."""
    for number in range(ROWS // 2):
        context = sentence(rng, f"year{number}")
        answer = {"text": f"year{number}", "answer_start": context.index("year")}
        asked = [
            {"question": sentence(rng, "when"), "answers": [answer]},
            {"question": sentence(rng, "who"), "answers": []},
        ]
        yield {"title": str(number), "paragraphs": [{"context": context, "qas": asked}]}


def complaints(rng):
    for number in range(ROWS):
        labels = [name for place, name in enumerate(("battery", "noise")) if number >> place & 1]
        yield {"text": sentence(rng, *labels), "labels": ";".join(labels)}


def stars(rng):
    for number in range(ROWS):
        yield {"text": sentence(rng, *["good"] * (number % 3)), "number": number % 3 - 0.5}


def similar(rng):
    for number in range(ROWS):
        first = sentence(rng)
        shared = first.split()[: 2 * (number % 4)]
        yield {"sentence1": first, "sentence2": sentence(rng, *shared), "similarity": number % 4}


def letters(rng):
    for number in range(ROWS):
        words = ["".join(rng.choice(WORDS, 2)) for _ in range(9)]
        yield {"text": " ".join([*words, "complaint" if number % 2 else "thanks"]), "label": str(number % 2)}


def goods(rng):
    for number in range(ROWS):
        price = round(float(rng.normal(40 + 20 * (number % 2), 5)), 2)
        yield {"text": sentence(rng), "label": str(number % 2), "price": price, "country": rng.choice(["DE", "FR"])}


def pairs(rng):
    for _ in range(ROWS):
        words = rng.choice(WORDS, 6)
        yield {"source": " ".join(words), "target": " ".join(word[::-1] for word in words)}


def news(rng):
    for _ in range(ROWS):
        first = f"{sentence(rng)}."
        yield {"document": f"{first} {sentence(rng)}. {sentence(rng)}.", "summary": first}


def talks(rng):
    for _ in range(ROWS):
        yield {
            "messages": [{"role": "user", "content": sentence(rng)}, {"role": "assistant", "content": sentence(rng)}]
        }


# File that an example reads -> its rows.
FILES = {
    "claims.csv": claims,
    "relations.csv": relations,
    "people.conll": people,
    "thefts.jsonl": thefts,
    "letters.csv": letters,
    "similar.csv": similar,
    "questions.json": questions,
    "complaints.csv": complaints,
    "stars.csv": stars,
    "goods.csv": goods,
    "pairs.csv": pairs,
    "news.csv": news,
    "talks.jsonl": talks,
}


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    if path.suffix == ".conll":
        lines = (
            "".join(f"{word}\t{tag}\n" for word, tag in zip(row["tokens"], row["tags"], strict=True)) for row in rows
        )
        path.write_text("\n".join(lines))
        return
    if path.suffix == ".json":
        path.write_text(json.dumps({"version": "2.0", "data": rows}))
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_example_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for example in examples:
        assert len(example.splitlines()) < 25
        for name in FILES:
            if name in example:
                write(tmp_path / name, list(FILES[name](np.random.default_rng(0))))
        exec(compile(example, str(page), "exec"), {})
    assert capsys.readouterr().out
