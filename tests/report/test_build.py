from __future__ import annotations

import dataclasses
import html as entities
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from headstart.core.records import Predictions, Rejected, Rows, Trial
from headstart.core.results import Interval, Result
from headstart.report import _format as form
from headstart.report import build
from headstart.report._mistakes import examples, full_records
from headstart.report.kinds.label import confusions
from headstart.report.wording import verdict_of

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collect elements and text, and whether every element that was opened was closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.css = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.css += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())


@pytest.fixture(scope="session")
def source(result: Result) -> str:
    return build.html(result)


@pytest.fixture(scope="session")
def page(source: str) -> Page:
    return Page(source)


def plain(result: Result, width: int = 100) -> str:
    stream = io.StringIO()
    build.show(result, Console(file=stream, width=width))
    return stream.getvalue()


def shown_nowhere_twice(page: Page) -> list[str]:
    ids = [value for _, attributes in page.elements for name, value in attributes.items() if name == "id" and value]
    return sorted({each for each in ids if ids.count(each) > 1})


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out where a test looks at the rest: no person's text enters a figure, and they take long."""
    monkeypatch.setattr("headstart.report.plots.svg", lambda *_: "<svg></svg>")


# --- the page ------------------------------------------------------------------------------------------------


def test_every_element_is_closed_and_every_id_is_unique(page: Page) -> None:
    assert page.crossed == []
    assert page.open == []
    assert shown_nowhere_twice(page) == []


def test_the_page_loads_nothing(page: Page, source: str) -> None:
    loading = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "video", "audio"}
    assert not loading & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "srcset", "data", "action", "poster", "xlink:href"):
                assert value is not None
                assert value.startswith("#"), (tag, name, value)
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#")
    assert "url(" not in page.css
    assert "@import" not in page.css
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_every_reference_inside_the_page_has_its_target(page: Page, source: str) -> None:
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    wanted = {a["href"][1:] for _, a in page.elements if a.get("href")} | set(re.findall(r"url\(#([^)]*)\)", source))
    assert wanted - ids == set()


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    "text",
    [
        "Loved it <script>alert(1)</script> would watch again",
        "broken </style><style>body{display:none}</style> markup & 'quotes' \"double\"",
        "the answer is {{7*7}} and {% raw %} and ${jndi}",
        "这家餐厅的服务非常好，下次还会再来，强烈推荐给大家。",
        "الخدمة كانت ممتازة والطعام لذيذ جدا",
        "see <img src=http://example.com/x.png onerror=alert(2)> or https://example.com/page now",
    ],
)
def test_a_persons_text_stays_text_wherever_it_is_shown(result: Result, text: str) -> None:
    every = Page(build.html(with_text(result, text)))
    assert every.crossed == []
    assert every.open == []
    assert every.text.count(text) >= 4  # example, label, finding, rejected row
    assert not {"script", "img"} & {tag for tag, _ in every.elements}
    assert shown_nowhere_twice(every) == []


def with_text(result: Result, text: str) -> Result:
    """Put a text in every place that a person's file can reach: texts, labels, ids, names, reasons, findings."""
    splits = result.splits
    test = Rows((text, *splits.test.ids[1:]), (text,) * len(splits.test), (text, *splits.test.targets[1:]))
    finding = dataclasses.replace(result.audit.findings[1], sentence=text, examples=((text,),))
    return dataclasses.replace(
        result,
        splits=dataclasses.replace(splits, test=test),
        table=dataclasses.replace(
            result.table, name=text, columns={"text": (text,)}, rejected=(Rejected(3, text),), warnings=(text,)
        ),
        audit=dataclasses.replace(result.audit, findings=(finding,), labels={text: {text: 3}}),
        skipped={"other": text},
    )


@pytest.mark.usefixtures("no_figures")
def test_control_characters_and_lone_surrogates_never_reach_the_page(result: Result) -> None:
    hostile = build.html(
        with_text(result, "bell \x07 escape \x1b[31m nul \x00 half \ud800 end \u202eover\u2066\u2028\ufeff")
    )
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", hostile)
    assert r"escape \x1b[31m" in hostile
    hostile.encode("utf-8")


def test_the_verdict_comes_before_the_leaderboard(page: Page, result: Result) -> None:
    places = [page.text.index(" ".join(sentence.split())) for sentence in verdict_of(result)]
    assert places == sorted(places)
    headings = ("Leaderboard ± is", "What the head start", "Further left is cheaper", "On the dashed line")
    assert places[-1] < page.text.index("Against the best")
    assert page.text.index("Against the best") < min(page.text.index(h) for h in headings[1:])


def test_every_standing_is_shown_with_its_own_numbers(page: Page, result: Result) -> None:
    for s in result.standings:
        half = 50 * (s.score.high - s.score.low)
        assert f"{100 * s.score.value:.1f} ± {half:.1f} %" in page.text
        assert f"± {100 * s.spread:.1f}" in page.text
        assert f"{100 * s.scores['macro-F1']:.1f} %" in page.text


def test_every_trial_is_shown_with_its_score_and_record(source: str, result: Result) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", source[source.index('class="trials"') :], flags=re.DOTALL)
    for record in result.records:
        row = next(row for row in rows if record.path in row)
        assert f"{100 * record.scores['accuracy']:.1f}\u00a0%" in row
        assert record.made in row


def test_provenance_names_data_machine_versions_and_commit(page: Page, result: Result) -> None:
    for fact in ("a" * 64, "b" * 64, "543f71d0c0ffee", "torch 2.13.0", "Example CPU @ 2.60GHz", "0, 1, 2"):
        assert fact in page.text


def test_pretrained_models_are_named_in_full_wherever_a_result_is_shown(result: Result) -> None:
    member = Trial("finetuned:full@e5-small", {"backbone": "e5-small"}, None, 0)
    trial = Trial("distilled", {"teacher": "finetuned:full", "backbone": "minilm"}, None, 0, (member,))
    first = dataclasses.replace(result.records[0], trial=trial)
    second = dataclasses.replace(result.records[1], trial=member, built_on={"e5-small": "c0ffee"})
    built = dataclasses.replace(result, records=(first, second, *result.records[2:]))
    assert "pretrained: e5-small, 4-bit, unpacked\n" in plain(built)
    for page in (build.html(built), build.fragment(built)):
        assert "Pretrained: e5-small, 4-bit, unpacked." in page
    assert "e5-small, 4-bit, unpacked, SHA-256 c0ffee" in build.html(built)
    assert "etrained: " not in plain(result) + build.fragment(result)


def test_rejected_rows_and_warnings_are_listed(page: Page) -> None:
    assert "line 17: empty text" in page.text
    assert "the label is missing <b>here</b>" in page.text
    assert "read as windows-1252" in page.text


@pytest.mark.usefixtures("no_figures")
def test_a_list_of_rejected_rows_too_long_to_show_says_how_many_more(result: Result) -> None:
    many = tuple(Rejected(n, "empty text") for n in range(2, 1002))
    text = Page(build.html(dataclasses.replace(result, table=dataclasses.replace(result.table, rejected=many)))).text
    assert "1,000 rows that could not be used" in text
    assert "and 500 more" in text


def test_the_page_is_small_and_the_same_each_time(source: str, result: Result) -> None:
    assert len(source.encode()) < 500_000
    assert build.html(result) == source


@pytest.mark.usefixtures("no_figures")
def test_the_page_is_written_whole(result: Result, tmp_path: Path) -> None:
    target = tmp_path / "runs" / "tweets" / "report.html"
    build.write(result, target)
    assert target.read_text(encoding="utf-8").endswith("</html>")
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def one_contender(result: Result) -> Result:
    records = tuple(r for r in result.records if r.trial.contender == "majority")
    return dataclasses.replace(result, standings=result.standings[-1:], records=records, equivalents=(), reliability={})


def without_probabilities(result: Result) -> Result:
    records = tuple(
        dataclasses.replace(r, predictions=dataclasses.replace(r.predictions, probabilities=None))
        for r in result.records
    )
    return dataclasses.replace(result, records=records, reliability={})


def leaked(result: Result) -> Result:
    splits = dataclasses.replace(result.splits, leaked=frozenset(result.splits.test.ids))
    standings = tuple(dataclasses.replace(s, clean=Interval(0.6123, 0.6, 0.62)) for s in result.standings)
    return dataclasses.replace(result, splits=splits, standings=standings)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("change", "shown", "hidden"),
    [
        (one_contender, "Only", "Where they disagree"),
        (without_probabilities, "Where they disagree", "On the dashed line"),
        (leaked, "61.2 ± 1.0 %", "Nothing is hidden here"),
    ],
)
def test_unusual_results_make_whole_pages(result: Result, change: Any, shown: str, hidden: str) -> None:
    changed = change(result)
    page = Page(build.html(changed))
    assert page.crossed == []
    assert shown in page.text
    assert hidden not in page.text
    assert plain(changed)
    json.dumps(build.as_json(changed), allow_nan=False)


def test_without_learning_curves_the_page_says_how_to_get_them(quick: Result) -> None:
    text = Page(build.html(quick)).text
    assert "No learning curve was run" in text
    assert "1 seed, with the same splits" in text


def test_seeds_have_a_column_where_somebody_has_several(result: Result, quick: Result) -> None:
    text = Page(build.html(quick)).text
    assert "Every contender was trained once" in text
    assert "one run" not in text
    last = dataclasses.replace(result.standings[-1], seeds=1)
    text = Page(build.html(dataclasses.replace(result, standings=(*result.standings[:-1], last)))).text
    assert "one run" in text
    assert "trained once" not in text


# --- mistakes ------------------------------------------------------------------------------------------------


def test_confusion_counts_every_answer_of_every_seed(result: Result) -> None:
    matrices = confusions(result)
    assert [c.contender for c in matrices] == [s.contender for s in result.standings if s.contender != "majority"]
    for c in matrices:
        records = full_records(result)[c.contender]
        counts = np.array([[count for count, _, _ in row.cells] for row in c.rows])
        assert counts.sum() == 3 * len(result.splits.test)
        right = sum(r.scores["accuracy"] for r in records) * len(result.splits.test)
        assert np.trace(counts) == round(right)


def test_more_classes_than_fit_leave_the_rarest_out(result: Result) -> None:
    labels = [f"c{i}" for i in range(25) for _ in range(25 - i)]
    targets = tuple(labels[i % len(labels)] for i in range(len(result.splits.test)))
    records = tuple(
        dataclasses.replace(r, predictions=Predictions(targets, ())) for r in result.records if r.train_rows == 2240
    )
    splits = dataclasses.replace(result.splits, test=dataclasses.replace(result.splits.test, targets=targets))
    matrix = confusions(dataclasses.replace(result, records=records, splits=splits))[0]
    assert len(matrix.classes) == 20
    assert matrix.left_out == 5
    assert "c0" in matrix.classes
    assert "c24" not in matrix.classes


def test_examples_are_disagreements_with_every_contenders_answer(result: Result) -> None:
    chosen = examples(result)
    assert 10 <= len(chosen) <= 20
    for example in chosen:
        answers = {c: answer for answer in example.answers for c, _ in answer.given_by}
        assert set(answers) == {s.contender for s in result.standings}
        assert len({answer.label for c, answer in answers.items() if c != "majority"}) > 1
        row = result.splits.test.ids.index(example.id)
        assert example.label == result.splits.test.targets[row]
        for contender, answer in answers.items():
            first = full_records(result)[contender][0]
            assert answer.label == first.predictions.values[row]
            assert answer.right == (answer.label == example.label)


def test_examples_show_the_winner_right_as_often_as_wrong(result: Result) -> None:
    winner = result.standings[0].contender
    right = [any(a.right and winner in dict(a.given_by) for a in example.answers) for example in examples(result)]
    assert sum(right) == len(right) // 2


# --- terminal, JSON, picture, notebook -----------------------------------------------------------------------


def test_the_leaderboard_fits_100_columns_and_reads_without_colour(result: Result) -> None:
    text = plain(result)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    assert "…" not in text
    table = text[text.index("contender ") : text.index("± half")]
    lines = {line.split()[0]: line for line in table.splitlines() if line.split()}
    assert lines["finetuned:full"].split("%")[1].split()[0] == "best"
    assert "ties with the best" in lines["finetuned:partial"]
    assert "points behind" in lines["linear"]
    for s in result.standings:
        assert f"{100 * s.score.value:.1f} ±" in lines[s.contender]
        for shown in (form.parameters(s.cost.trained_parameters), form.size(s.cost.peak_bytes)):
            assert f" {shown} " in lines[s.contender]
        assert form.duration(s.cost.train_seconds) in lines[s.contender]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(140, ""), (100, ": memory"), (80, ": trained, memory"), (60, ": trained, ")],
)
def test_names_of_backbones_cut_no_cell_short(result: Result, width: int, left_out: str) -> None:
    named = [dataclasses.replace(s, contender=f"{s.contender}@TinyBERT_General_4L") for s in result.standings]
    text = plain(dataclasses.replace(result, standings=tuple(named)), width)
    table = text[text.index("contender ") : text.index("± half")]
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= width
    assert table.count("@TinyBERT_General_4L") == len(named)
    assert all(f"{100 * s.score.value:.1f} ±" in table for s in named)
    noted = " ".join(text[text.index("± half") :].split())
    assert left_out in noted
    assert ("columns that do not fit here are in the report" in noted) == bool(left_out)
    assert all((title in table.splitlines()[0]) == (title not in noted) for title in ("disk", "one text"))


def test_the_terminal_shows_findings_verdict_and_the_path_of_the_page(result: Result) -> None:
    text = " ".join(plain(result).split())
    assert "warning 19 texts occur with different labels" in text
    assert "2 rows could not be used" in text
    assert "No text occurs twice" not in text
    for sentence in verdict_of(result):
        assert sentence in text
    assert str(result.folder / "report.html") in text


def test_a_persons_text_cannot_command_the_terminal(result: Result) -> None:
    text = plain(with_text(result, "[bold]x[/bold] \x1b[31mred\x07\u202e\u2069\u200b\ufeff\x9b\ud800"))
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert r"[bold]x[/bold] \x1b[31mred\x07" in text


def test_no_color_is_honoured(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes() -> set[str]:
        stream = io.StringIO()
        build.show(result, Console(file=stream, force_terminal=True, width=100, color_system="truecolor"))
        return set(re.findall(r"\x1b\[([\d;]*)m", stream.getvalue()))

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert any("32" in code.split(";") for code in codes())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any(part in map(str, range(30, 108)) for code in codes() for part in code.split(";"))


def test_json_holds_the_numbers_and_nothing_that_json_cannot_write(result: Result) -> None:
    fields = json.loads(json.dumps(build.as_json(result), allow_nan=False))
    assert fields["best"] == "finetuned:full"
    assert fields["standings"][0]["score"]["value"] == result.standings[0].score.value
    assert fields["splits"]["rows"] == {"train": 2240, "validation": 480, "test": 600}
    assert len(fields["trials"]) == len(result.records)
    assert fields["trials"][0]["trial"]["contender"] == "majority"
    assert fields["verdict"] == list(verdict_of(result))
    assert "predictions" not in fields["trials"][0]
    assert set(fields) == {
        *(
            "name",
            "task",
            "metric",
            "kind",
            "unit",
            "higher_is_better",
            "best",
            "verdict",
            "standings",
            "curve",
            "equivalents",
            "ladder",
        ),
        *("kind", "unit", "higher_is_better"),
        *(
            "by",
            "text_and_columns",
            "stress",
            "receipts",
            "reliability",
            "skipped",
            "data",
            "splits",
            "audit",
            "trials",
            "report",
            "content_sha256",
        ),
    }


def test_json_turns_numpy_and_what_is_not_finite_into_plain_values(result: Result) -> None:
    odd = dataclasses.replace(
        result.standings[0], spread=float("nan"), seeds=np.int64(3), calibration_error=np.float32(0.5)
    )
    fields = build.as_json(dataclasses.replace(result, standings=(odd, *result.standings[1:])))
    first = json.loads(json.dumps(fields, allow_nan=False))["standings"][0]
    assert (first["spread"], first["seeds"], first["calibration_error"]) == (None, 3, 0.5)


def test_the_picture_is_an_image_that_loads_nothing_and_is_the_same_each_time(result: Result) -> None:
    picture = build.picture(result)
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"https?://[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in picture
    words = " ".join(" ".join(root.itertext()).replace("\u00a0", " ").split())
    for s in result.standings:
        assert s.contender in words
        assert f"{100 * s.score.value:.1f} ±" in words
    assert picture == build.picture(result)


def test_the_notebook_fragment_holds_verdict_and_leaderboard_escaped(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.wording, "verdict_of", lambda result: ("<script>x</script>",))
    piece = Page(build.fragment(result))
    assert piece.crossed == []
    assert piece.open == []
    assert "<script>x</script>" in piece.text
    assert "script" not in {tag for tag, _ in piece.elements}
    for s in result.standings:
        assert s.contender in piece.text


def test_entities_are_escaped_once(source: str) -> None:
    assert "&amp;amp;" not in source
    assert entities.escape("</style>") in source


def test_a_single_number_of_rows_is_no_learning_curve(result):
    most = max(point.size for point in result.curve)
    single = dataclasses.replace(result, curve=tuple(p for p in result.curve if p.size == most), equivalents=())
    assert "No learning curve was run" in build.html(single)


def test_the_page_shows_what_each_level_adds(result):
    page = build.html(result)
    section = page[page.index('id="ladder"') : page.index('id="head-start"')]
    assert "+23.5 (+20.1 to +26.8)" in section
    assert section.count("no evidence of a difference") == 1
    assert "about 590" in section
    assert "more than 2,240" in section
    assert 'id="ladder"' not in build.html(dataclasses.replace(result, ladder=result.ladder[:1]))
