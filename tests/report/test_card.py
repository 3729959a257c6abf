"""The model card: the hub can read it, it says what was measured, and no name from the data breaks it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from tests.report import _kinds
from tests.report.conftest import NASTY

from headstart import tasks
from headstart.checkpoints import manifest
from headstart.checkpoints.origin import Origin, origin
from headstart.contest.rank import winner
from headstart.core.results import Interval, StressResult, StressScore, deciding
from headstart.report import card

TAGS = {*["h1", "h2", "p", "a", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "code"]}


def make_best(folder, classes=()):
    folder.mkdir(exist_ok=True)
    task = tasks.load("classification", {"classes": classes} if classes else {})
    manifest.write(folder, "majority", task, {})
    return folder


def html_of(text):
    """Render the part below the metadata."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("\n---\n", 1)[1])


@pytest.mark.parametrize("kind", _kinds.MADE)
def test_the_hub_reads_the_card_of_every_kind_of_task(kind, tmp_path):
    result = _kinds.make(kind)
    text = card.text(result, Path("nowhere"), make_best(tmp_path))
    data = ModelCard(text).data
    assert data.license == "apache-2.0"
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.language == "en"
    assert data.pipeline_tag in ("text-classification", "token-classification", "text-generation")
    assert [one.metric_name for one in data.eval_results] == [metric.name for metric in result.rules.metrics]
    first, own = data.eval_results[0], winner(result.standings)
    assert all(one.verified is False for one in data.eval_results)
    assert first.metric_args["low"] <= first.metric_value <= first.metric_args["high"]
    trained = next(r for r in result.records if r.trial.contender == own.contender and r.trial.size is None)
    assert first.metric_value == pytest.approx(trained.scores[deciding(result).name], abs=1e-5)
    assert "| metric | this model | mean of 2 trainings |" in text
    assert f"SHA-256 {result.table.sha256}" in text
    assert set(re.findall(r"<(\w+)", html_of(text))) <= TAGS


def test_names_from_the_data_break_neither_yaml_nor_markdown(result, tmp_path):
    hostile = ("---\nlicense: mit\n---", "|x|", "`a`", "![i](http://e.org)", "a: {b: [c", "\udc80", *NASTY)
    audit = replace(
        result.audit,
        findings=tuple(replace(finding, sentence=hostile[-1]) for finding in result.audit.findings),
    )
    changed = replace(
        result, name="--- # \udc80: [x]\n", table=replace(result.table, name=hostile[0] + NASTY[0]), audit=audit
    )
    text = card.text(changed, Path("nowhere"), make_best(tmp_path, hostile))
    text.encode()  # no half characters
    data = ModelCard(text).data
    assert data.license == "unknown"
    assert data.model_name == "--- # \\udc80: [x]\\n"
    assert data.datasets is None
    page = html_of(text)
    assert set(re.findall(r"<(\w+)", page)) <= TAGS
    assert re.findall(r'(?:href|src)="([^"]*)"', page) == ["https://pypi.org/project/headstart/"]
    assert "&lt;script&gt;" in page
    assert "\u202e" not in text


def test_findings_that_name_rows_or_files_are_not_published(result, tmp_path):
    kinds = ("groups", "reading", "imbalance", "leakage")
    findings = tuple(
        replace(result.audit.findings[0], kind=kind, severity="warning", sentence=f"about {kind}") for kind in kinds
    )
    changed = replace(result, audit=replace(result.audit, findings=findings))
    text = card.text(changed, Path("nowhere"), make_best(tmp_path))
    assert "about imbalance" in text
    assert "about leakage" in text
    assert "about groups" not in text
    assert "about reading" not in text
    assert not any(value in text for value in result.splits.test.inputs)


def test_the_figures_are_those_of_the_stored_model(quick, tmp_path):
    own = next(record for record in quick.records if record.trial.contender == winner(quick.standings).contender)
    text = card.text(quick, Path("models") / Path(own.path).stem, make_best(tmp_path))
    assert ModelCard(text).data.eval_results[0].metric_value == pytest.approx(own.scores["accuracy"], abs=1e-5)
    assert "mean of" not in text


def test_a_note_beside_the_model_stays_in_its_card(quick, tmp_path):
    best = make_best(tmp_path)
    (best / manifest.CARD).write_text("# Columns beside the text\n\nThis model reads `price`.\n")
    assert card.text(quick, Path("nowhere"), best).endswith("# Columns beside the text\n\nThis model reads `price`.\n")


@pytest.mark.parametrize(
    ("card_text", "licence"),
    [
        ("---\nlicense: MIT\nlanguage: en\n---\n# A model", "mit"),
        ('---\nlanguage: en\nlicense: "cc-by-4.0"\n---\n', "cc-by-4.0"),
        ("# A model\nlicense: mit\n", ""),
        ("---\nlanguage: en\n---\nlicense: mit\n", ""),
        ("---\nlicense: [mit, <b>]\n---\n", ""),
        (None, ""),
    ],
)
def test_the_licence_of_a_folder_is_read_from_its_card(card_text, licence, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    if card_text is not None:
        (folder / "README.md").write_text(card_text)
    assert origin(str(folder)) == Origin("model", "", licence)


def test_the_licence_of_a_model_of_the_hub_is_read_from_the_cache(tmp_path, monkeypatch):
    import huggingface_hub

    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(tmp_path / "README.md"))
    assert origin("hf://owner/name@v1") == Origin("owner/name@v1", "owner/name", "mit")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    assert origin("hf://owner/name") == Origin("owner/name", "owner/name")


def test_what_transformations_do_is_in_the_card_if_it_was_measured(quick, tmp_path):
    best = make_best(tmp_path)
    leader = winner(quick.standings).contender
    score = StressScore(leader, "typos", 90, 60, 0.1, 0.75, 0.7, Interval(0.05, 0.02, 0.08), None, 0.001, None, None)
    other = replace(score, contender="majority", transformation="accents")
    measured = replace(quick, stress=StressResult(90, 90, (score, other), (), {}, {}, {}))
    text = card.text(measured, Path("nowhere"), best)
    assert "| typos | 60 | 70.0 % | +5.0 (+2.0 to +8.0) |" in text
    assert "accents" not in text
    assert "headstart stress" not in text
    without = card.text(quick, Path("nowhere"), best)
    assert "## Stress" not in without
    assert "headstart stress measures that" in without
