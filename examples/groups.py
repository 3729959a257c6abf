"""Rows of one author stay on one side of the split, and the scores are also given for each language."""

import json
import random

import headstart

chance = random.Random(0)
WORDS = {"en": {"yes": ["good", "fine"], "no": ["bad", "poor"]}, "de": {"yes": ["gut", "schön"], "no": ["schlecht"]}}
with open("opinions.jsonl", "w", encoding="utf-8") as file:
    for author in range(40):
        language = "de" if author % 4 == 0 else "en"
        for number in range(5):
            label = chance.choice(["yes", "no"])
            text = f"{chance.choice(WORDS[language][label])} {author} {number}"
            row = {"text": text, "label": label, "author": f"author {author}", "language": language}
            file.write(json.dumps(row) + "\n")

known = {"contenders": ["majority", "linear"], "sizes": [], "out": "runs/opinions"}
result = headstart.compare("opinions.jsonl", group="author", by="language", **known)
for line in result.by:
    print(line["contender"], line["value"], line["rows"], line["score"])
