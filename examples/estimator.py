"""Headstart's models as scikit-learn estimators: cross-validation, and a search over options."""

import random

from sklearn.model_selection import GridSearchCV, cross_val_score

from headstart import TextClassifier

chance = random.Random(0)
WORDS = {"sport": ["goal", "match", "team", "coach"], "money": ["bank", "price", "market", "loan"]}
labels = [chance.choice(list(WORDS)) for _ in range(60)]
texts = [f"The {' '.join(chance.choices(WORDS[label], k=3))} of day {n}" for n, label in enumerate(labels)]

print("accuracy of each fold:", cross_val_score(TextClassifier("linear"), texts, labels, cv=3).round(2))

search = GridSearchCV(TextClassifier("linear"), {"options": [{"features": 50}, {"features": 5000}]}, cv=2)
search.fit(texts, labels)
print("best options:", search.best_params_)
print(search.predict(["A loan from the bank"]))
