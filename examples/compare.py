"""From a CSV file to a verdict, a report and a model: which contender should be used, and what does it predict?"""

import csv
import random

import headstart

chance = random.Random(0)
WORDS = {"praise": ["great", "lovely", "fast", "friendly"], "complaint": ["broken", "late", "rude", "slow"]}
with open("reviews.csv", "w", encoding="utf-8", newline="") as file:
    table = csv.writer(file)
    table.writerow(["text", "label"])
    for number in range(120):
        label = chance.choice(list(WORDS))
        table.writerow([f"Order {number} was {' and '.join(chance.sample(WORDS[label], 2))}.", label])

result = headstart.compare("reviews.csv", contenders=["majority", "linear"], sizes=[], out="runs/reviews")
print(*result.verdict, sep="\n")
print(result.best.predict(["The parcel came late and broken."]).values)
print("Report: runs/reviews/report.html. Model with its card: runs/reviews/best.")
