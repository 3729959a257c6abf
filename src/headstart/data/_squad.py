"""SQuAD's JSON: articles of paragraphs, each a context with questions; every question becomes a row.

Rajpurkar et al. 2016 (version 1.1) and 2018 (version 2.0, where some questions have no answer).
"""

from __future__ import annotations

from collections.abc import Iterator

from headstart.core.errors import shown


def holds_articles(document: object) -> bool:
    """Return whether a JSON document has SQuAD's form: a list of articles with paragraphs, or an object with one.

    >>> holds_articles({"version": "2.0", "data": [{"title": "Rhine", "paragraphs": []}]})
    True
    """
    articles = _articles(document)
    return bool(articles) and all(isinstance(article, dict) and "paragraphs" in article for article in articles)


def questions(document: object) -> Iterator[dict[str, object] | str]:
    """Yield each question as a row (title, context, and the question's own values), or where one is missing and why.

    >>> asked = {"qas": [{"id": "1", "question": "Which river?", "answers": []}], "context": "The Rhine is long."}
    >>> rows = list(questions({"data": [{"title": "Rhine", "paragraphs": [asked, {"qas": []}]}]}))
    >>> rows[0]["question"], rows[1]
    ('Which river?', "has no 'context' in data[0].paragraphs[1]")
    """
    for number, article in enumerate(_articles(document)):
        place = f"data[{number}]"
        if not isinstance(article["paragraphs"], list):
            yield f"has no list of 'paragraphs' in {place}"
            continue
        for paragraph_number, paragraph in enumerate(article["paragraphs"]):
            yield from _of_paragraph(article, paragraph, f"{place}.paragraphs[{paragraph_number}]")


def _of_paragraph(article: dict[str, object], paragraph: object, place: str) -> Iterator[dict[str, object] | str]:
    if not isinstance(paragraph, dict):
        yield f"is not an object in {place}"
        return
    for key in ("context", "qas"):
        if key not in paragraph:
            yield f"has no {shown(key)} in {place}"
            return
    if not isinstance(paragraph["qas"], list):
        yield f"has no list of 'qas' in {place}"
        return
    for number, asked in enumerate(paragraph["qas"]):
        if isinstance(asked, dict):
            yield {"title": article.get("title"), "context": paragraph["context"], **asked}
        else:
            yield f"is not an object in {place}.qas[{number}]"


def _articles(document: object) -> list[dict[str, object]]:
    articles = document.get("data") if isinstance(document, dict) else document
    return articles if isinstance(articles, list) else []
