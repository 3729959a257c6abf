"""The page, the table and the verdict of every kind of answer, of small made-up comparisons."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.report._kinds import MADE, Number, make

from headstart.checkpoints import manifest
from headstart.contest import confidence, int8, models, random_split
from headstart.contest.int8 import Agreement
from headstart.contest.ledger import load_record, write_record
from headstart.contest.trials import Terms
from headstart.core.contracts import Fitted, Kind
from headstart.core.records import Finding, Predictions, Rows
from headstart.core.results import Interval, Result
from headstart.metrics import stats
from headstart.report import build, plots, wording
from headstart.report._mistakes import examples
from headstart.report._values import shown_answer, shown_input
from headstart.report.kinds import facts, labels, number, text, view
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

KINDS = tuple(MADE)


@functools.cache
def made(kind: str) -> Result:
    return make(kind)


@functools.cache
def page(kind: str) -> str:
    return build.html(made(kind))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL))


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_the_sections_of_its_kind_in_order(kind: str) -> None:
    html = page(kind)
    anchors = [anchor for anchor, _ in view(made(kind)).sections]
    assert anchors
    places = [html.index(f'<section id="{anchor}">') for anchor in anchors]
    assert places == sorted(places)
    assert all(f'href="#{anchor}"' in html for anchor in anchors)
    others = {anchor for other in KINDS for anchor, _ in view(made(other)).sections} - set(anchors)
    assert not any(f'id="{anchor}"' in html for anchor in others)
    assert "nan" not in words(html).lower().split()


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_in_the_terminal_has_the_metric_in_its_unit(kind: str) -> None:
    result, stream = made(kind), io.StringIO()
    build.show(result, Console(file=stream, width=100))
    shown = stream.getvalue()
    scores = [line["score"] for line in build.board(result)]
    assert all(score in shown for score in scores)
    assert all(("%" in score) == (kind != "number") for score in scores)
    assert ("lower is better" in shown) == (kind == "number")


@pytest.mark.parametrize("kind", KINDS)
def test_json_names_kind_unit_and_direction(kind: str) -> None:
    fields = build.as_json(made(kind))
    number = kind == "number"
    assert (fields["kind"], fields["unit"], fields["higher_is_better"]) == (kind, "" if number else "%", not number)


# --- lower is better -----------------------------------------------------------------------------------------


def test_where_lower_is_better_the_lowest_leads_and_all_others_are_behind() -> None:
    result = made("number")
    values = [standing.score.value for standing in result.standings]
    assert values == sorted(values)
    assert values[0] < values[-1]
    gaps = [standing.difference for standing in result.standings[1:]]
    assert all(gap is not None and gap.value > 0 for gap in gaps)
    standings = [line["standing"] for line in build.board(result)]
    assert standings[0] == "best"
    assert re.fullmatch(r"[\d.]+ behind", standings[-1])
    assert build.board(result)[-1]["beyond"]
    assert "off the scale ›" in page("number")


def test_where_lower_is_better_the_page_says_so() -> None:
    shown = words(page("number"))
    assert "scored by RMSE, lower is better" in shown
    assert "Further left is cheaper, lower is better." in shown
    assert "Lowers RMSE by (95 % interval)" in shown
    assert "RMSE (lower is better)" in shown
    assert "MAE ↓" in shown
    assert "R2 ↓" not in shown
    assert "in the unit of RMSE, between trainings" in shown
    assert "Adds, points" in words(page("labels"))


def test_where_lower_is_better_the_verdict_has_no_points_and_no_percentages() -> None:
    result = made("number")
    verdict = " ".join(wording.verdict_of(result))
    assert re.search(r"is the best: RMSE [\d.]+ \(lower is better, 95 % interval [\d.]+ to [\d.]+\)", verdict)
    assert "points" not in verdict
    assert not re.search(r"[\d.]+ %(?! interval)", verdict)


def test_a_curve_that_falls_gains_where_lower_is_better() -> None:
    result = made("number")
    name = result.standings[0].contender
    points = [point for point in result.curve if point.contender == name]
    falling = tuple(
        dataclasses.replace(point, score=score, low=score - 0.1, high=score + 0.1)
        for point, score in zip(sorted(points, key=lambda point: point.size), (9.0, 5.0), strict=True)
    )
    change = " ".join(wording.verdict_of(dataclasses.replace(result, curve=falling)))
    assert f"more labels, since {name} still improves by 2.0 with each doubling of the rows" in change
    flat = tuple(dataclasses.replace(point, score=5.0) for point in falling)
    assert "is flat at 400 rows" in " ".join(wording.verdict_of(dataclasses.replace(result, curve=flat)))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("number", "always predicting the same: the lowest is "), ("text", "what needs no training: the highest is ")],
)
def test_no_better_than_the_floor_names_the_floor_and_the_best(kind: Kind, expected: str) -> None:
    result = made(kind)
    floor = next(standing for standing in result.standings if standing.contender == "majority")
    tied = dataclasses.replace(floor, ties=True)
    others = tuple(standing for standing in result.standings if standing is not floor)
    verdict = wording.verdict_of(dataclasses.replace(result, standings=(*others, tied)))
    assert verdict[0].startswith(f"No contender is shown to beat {expected}")


# --- inputs and answers --------------------------------------------------------------------------------------


def test_inputs_and_answers_of_every_kind_are_readable() -> None:
    shown = {
        kind: (shown_input(made(kind).rules, value), shown_answer(made(kind).rules, target, value))
        for kind, value, target in (
            ("label", ("one", "two"), "refuted"),
            ("labels", "a text", ("refund", "billing")),
            ("number", "a text", 12.5),
            ("facts", ("Anna", "met", "Bo"), ((9, 11, "PER"), (0, 4, "PER"))),
            ("text", {"question": "Who?", "context": "Bo."}, ("Bo", "Bo B.")),
        )
    }
    assert shown == {
        "label": ("one\ntwo", "refuted"),
        "labels": ("a text", "billing, refund"),
        "number": ("a text", "12.5"),
        "facts": ("Anna met Bo", "Anna [PER], Bo [PER]"),
        "text": ("Who?\nBo.", "Bo / Bo B."),
    }
    assert shown_answer(made("labels").rules, (), "a text") == "no label"
    assert shown_answer(made("facts").rules, (), ("a",)) == "nothing"
    asked = {"question": "Who?", "context": "Bo."}
    assert shown_answer(made("text").rules, (("Bo", 4), ("Bo", 9)), asked) == "Bo"
    assert [shown_answer(made("text").rules, answer, asked) for answer in ((), "")] == ["no answer"] * 2
    assert shown_answer(made("facts").rules, ((0, 1, 3, 4, "near"),), ("a or b",)) == "a – r [near]"


def test_facts_with_the_same_words_differ_by_their_places() -> None:
    rules, value = made("facts").rules, ("Anna", "met", "Anna", "Lee")
    first, second = (0, 4, "PER"), (9, 13, "PER")
    assert shown_answer(rules, (first,), value) == "Anna (at 0) [PER]"
    assert shown_answer(rules, (second, first), value) == "Anna (at 0) [PER], Anna (at 9) [PER]"
    assert shown_answer(rules, ((9, 17, "PER"),), value) == "Anna Lee [PER]"
    overlapping = ((0, 2, "X"), (1, 3, "X"))
    assert shown_answer(rules, overlapping, ("aaa",)) == "aa (at 0) [X], aa (at 1) [X]"


def test_facts_with_one_number_are_in_the_order_of_their_numbers() -> None:
    assert shown_answer(made("facts").rules, ((10, "end"), (9, "end")), ("a text",)) == "9 [end], 10 [end]"


@pytest.mark.parametrize("kind", ["label", "labels", "facts"])
def test_examples_show_what_the_rows_hold(kind: str) -> None:
    result = made(kind)
    rules, test = result.rules, result.splits.test
    chosen = examples(result)
    assert chosen
    for example in chosen:
        row = test.ids.index(example.id)
        assert example.text == shown_input(rules, test.inputs[row])
        assert example.label == shown_answer(rules, test.targets[row], test.inputs[row])
        assert [answer.right for answer in example.answers if answer.label == example.label] in ([], [True])


def test_audit_examples_show_rows_of_any_kind() -> None:
    result = made("facts")
    row = result.splits.test.ids[1]
    finding = Finding("leakage", "note", 1, 0.1, "Some.", ((row, "a text of its own"),))
    audit = dataclasses.replace(result.audit, findings=(finding,))
    html = words(build.html(dataclasses.replace(result, audit=audit)))
    value, target = result.splits.test.inputs[1], result.splits.test.targets[1]
    assert shown_input(result.rules, value) in html
    assert f"{shown_answer(result.rules, target, value)} , test, {row}" in html.replace("  ", " ")
    assert "a text of its own" in html


# --- the views -----------------------------------------------------------------------------------------------


def with_rows(kind: str, inputs: tuple, targets: tuple, predicted: tuple) -> Result:
    """Make a comparison of one contender with one seed on these test rows; the training rows are the same rows."""
    result = made(kind)
    ids = tuple(f"r{number}" for number in range(len(inputs)))
    test = Rows(ids, inputs, targets)
    best = next(s for s in result.standings if s.contender == "finetuned:full")
    record = next(r for r in result.records if r.trial.contender == best.contender and r.trial.size is None)
    record = dataclasses.replace(record, predictions=Predictions(predicted))
    splits = dataclasses.replace(result.splits, test=test, leaked=frozenset())
    return dataclasses.replace(result, splits=splits, standings=(best,), records=(record,))


def test_label_sets_are_counted_by_what_is_wrong_with_them() -> None:
    targets = (("a", "b"), ("a",), ("a", "b"), ("b",), ())
    predicted = (("b", "a"), ("a", "c"), ("a",), ("c",), ())
    shown = labels.view(with_rows("labels", ("x",) * 5, targets, predicted))
    (line,) = shown.lines
    assert (line.exact, line.missing, line.surplus, line.both) == ("40.0 %", "20.0 %", "20.0 %", "20.0 %")
    assert (line.each, line.surplus_each, line.missing_each, shown.true_each) == ("1.20", "0.40", "0.40", "1.20")
    (table,) = shown.tables
    assert [(row.name, row.true, row.predicted, row.precision, row.recall) for row in table.rows] == [
        ("a", "3", "3", "100.0 %", "100.0 %"),
        ("b", "3", "1", "100.0 %", "33.3 %"),
        ("c", "0", "2", "0.0 %", "–"),
    ]


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ({(0, 4, "PER")}, [1, 0, 0, 0, 0, 0]),
        ({(0, 4, "LOC")}, [0, 1, 0, 0, 0, 0]),
        ({(0, 9, "PER")}, [0, 0, 1, 0, 0, 0]),
        ({(3, 9, "LOC")}, [0, 0, 0, 1, 0, 0]),
        (set(), [0, 0, 0, 0, 1, 0]),
        ({(4, 9, "PER")}, [0, 0, 0, 0, 1, 1]),
        ({(0, 4, "PER"), (0, 3, "PER")}, [1, 0, 0, 0, 0, 1]),
        ({(0, 3, "PER"), (0, 4, "LOC")}, [0, 1, 0, 0, 0, 1]),
    ],
)
def test_each_error_in_facts_has_its_name(answer: set, counts: list[int]) -> None:
    assert facts.errors(frozenset({(0, 4, "PER")}), frozenset(answer)) == counts


def test_facts_without_places_are_partly_right_where_a_part_is() -> None:
    truth = frozenset({("Anna", "Rome", "lives in")})
    assert facts.errors(truth, frozenset({("Anna", "Lima", "lives in")})) == [0, 0, 1, 0, 0, 0]
    assert facts.errors(truth, frozenset({("Bo", "Lima", "lives in")})) == [0, 0, 0, 0, 1, 1]


def test_known_facts_are_those_with_the_same_words_and_type_in_training() -> None:
    inputs = (("Dora", "left"), ("Nobody", "left"), ("Rome", "left"))
    targets = (((0, 4, "PER"),), ((0, 6, "PER"),), ((0, 4, "PER"),))
    shown = facts.view(with_rows("facts", inputs, targets, (targets[0], (), targets[2])))
    assert (shown.true, shown.known, shown.new) == ("3", "1", "2")  # Rome is a place in the training rows
    assert (shown.lines[0].known, shown.lines[0].new) == ("100.0 %", "50.0 %")


def test_errors_of_numbers_are_in_their_unit_and_the_worst_come_first() -> None:
    targets = (1.0, 2.0, 3.0, 4.0)
    shown = number.view(with_rows("number", ("a", "b", "c", "d"), targets, (1.5, 2.0, 1.0, 4.0)))
    (line,) = shown.lines
    assert (line.median, line.worst, line.bias) == ("0.25", "2", "-0.375")
    assert [row.id for row in shown.worst] == ["r2", "r0", "r1", "r3"]
    assert [row.answers for row in shown.worst[:3]] == [
        (("finetuned:full", "1", "-2"),),
        (("finetuned:full", "1.5", "+0.5"),),
        (("finetuned:full", "2", "0"),),
    ]
    assert shown.best == "finetuned:full"


def test_a_figure_of_many_errors_shows_groups_not_rows() -> None:
    targets = np.linspace(0, 10, plots.MOST_DOTS + 1)
    few = plots.residuals("x", 0, targets[:-1], targets[:-1] + 1, (0.0, 1.0))
    many = plots.residuals("x", 0, targets, targets + 1, (0.0, 1.0))
    assert few.count("<use") > plots.MOST_DOTS
    assert many.count("<use") < 50
    assert "FillBetween" in many


def test_texts_are_sorted_by_their_own_score() -> None:
    targets = (("abcdef",), ("abcdef",), ("abcdef",))
    inputs = tuple({"question": "?", "context": "x" * length} for length in (1, 10, 100))
    shown = text.view(with_rows("text", inputs, targets, ("abc", "abcdef", "")))
    assert [row.id for row in shown.best_rows] == ["r1", "r0"]
    assert [row.id for row in shown.worst_rows] == ["r2"]
    assert shown.best_rows[0].outputs[0].score == "100.0 %"
    assert shown.best_rows[0].references == ("abcdef",)
    assert [group for group, _ in shown.groups] == ["2 to 2", "11 to 11", "101 to 101"]
    assert [float(score.split()[0]) for score in shown.lengths[0].scores][1:] == [100.0, 0.0]


class Writing(type(MADE["text"].task)):  # type: ignore[misc]  # whatever its class is
    """Answers that a model writes."""

    generates = True


def written(predicted: tuple[str, ...], targets: tuple[tuple[str, ...], ...]) -> Result:
    inputs = tuple({"question": "so it is", "context": "so it was"} for _ in predicted)
    return dataclasses.replace(with_rows("text", inputs, targets, predicted), rules=Writing())


def test_words_that_are_not_in_the_reference_are_marked() -> None:
    shown = text.view(with_rows("text", ({"question": "?", "context": "x"},), (("a red dog", "no"),), ("a <b> dog",)))
    (output,) = shown.best_rows[0].outputs
    assert [(part.text, part.differs) for part in output.parts] == [("a ", False), ("<b>", True), (" dog", False)]
    result = with_rows("text", ({"question": "?", "context": "x"},), (("a red dog",),), ("a <b> dog",))
    assert "a <u>&lt;b&gt;</u> dog" in build.html(result)


def test_texts_that_repeat_or_copy_are_warned_of() -> None:
    targets = (("a red dog ran over there",),) * 2
    shown = text.view(written(("so it is so it is so it is", "so it was"), targets))
    assert [(line.who, line.length, line.repeated, line.copied, line.empty) for line in shown.writing] == [
        ("references", "6.0", "0.0 %", "0.0 %", "0"),
        ("finetuned:full", "6.0", "50.0 %", "100.0 %", "0"),
    ]
    assert [warning.split(":")[1].split(" of")[0] for warning in shown.warnings] == [
        "full repeats itself",
        "full copies",
    ]
    html = build.html(written(("so it is so it is so it is", "so it was"), targets))
    assert "100.0 % of its words are in the input" in html
    right = text.view(written(("a red dog ran over there", ""), targets))
    assert not right.warnings
    assert right.writing[1].empty == "1"
    assert not text.view(made("text")).writing  # answers to questions are parts of their inputs


def test_the_score_of_a_row_is_that_of_the_row_alone() -> None:
    result = made("text")
    predictions, targets = result.records[-1].predictions, result.splits.test.targets
    metric = result.rules.metrics[0]
    scores = text.row_scores(metric, result.rules.tally(predictions, targets))
    alone = result.rules.tally(Predictions(predictions.values[3:4]), targets[3:4])
    assert scores[3] == pytest.approx(float(metric.of(alone.total)))
    assert len(scores) == len(targets)


# --- what a comparison makes of them -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_every_kind_are_read_as_they_were_written(kind: str, tmp_path: Path) -> None:
    result = made(kind)
    record = dataclasses.replace(result.records[-1], path=str(tmp_path / "r.json"))
    write_record(record, result.splits.test)
    assert load_record(tmp_path / "r.json", result.splits) == record


def test_among_seeds_the_lowest_error_is_best(tmp_path: Path) -> None:
    terms = Terms(tmp_path, "RMSE")
    rules = made("number").rules
    scores = [models.merit({"RMSE": value}, rules, terms) for value in (4.0, 2.0, 3.0)]
    assert scores.index(max(scores)) == 1
    assert models.merit({"micro-F1": 0.5}, made("labels").rules, Terms(tmp_path, "micro-F1")) == 0.5


def test_a_gap_between_splits_has_the_sign_of_the_metric() -> None:
    joint = [stats.Joint(np.array([score]), np.eye(1), np.zeros(1), 1.0) for score in (-3.0, -2.0)]
    metric = made("number").rules.metrics[0]
    finding = random_split._finding(Interval(1.0, 0.8, 1.2), *joint, metric, by_time=False)
    assert finding.severity == "warning"
    assert finding.sentence == (
        "linear reaches 3.00 RMSE on rows of unseen groups and 2.00 with a random split: a difference of "
        "-1.00 (-1.20 to -0.80), which a random split would have hidden."
    )


def test_probabilities_of_several_labels_are_not_taken_for_those_of_one() -> None:
    predictions = Predictions((("a", "b"),), ("a", "b"), np.array([[0.9, 0.8]], dtype=np.float32))
    rows = Rows(("1",), ("x",), (("a",),))
    assert confidence.measured(made("labels").rules, predictions, rows, 1.0) == {}
    result = made("labels")
    record = dataclasses.replace(
        result.records[-1],
        predictions=dataclasses.replace(
            result.records[-1].predictions,
            classes=("a", "b"),
            probabilities=np.full((len(result.splits.test), 2), 0.9, dtype=np.float32),
        ),
    )
    with_scores = dataclasses.replace(result, records=(*result.records[:-1], record))
    given = [given for example in examples(with_scores) for answer in example.answers for given in answer.given_by]
    assert {confidence for _, confidence in given} == {None}


@pytest.mark.parametrize(
    ("kind", "what", "measure"),
    [
        ("labels", "label sets", "Jaccard index"),
        ("number", "numbers", "distance as a part of their spread"),
        ("facts", "facts", "Jaccard index"),
        ("text", "answers", "token F1"),
    ],
)
def test_what_int8_leaves_unchanged_is_said_for_each_kind(kind: Kind, what: str, measure: str) -> None:
    figures = f"the {what} predicted for 50 validation texts agree to 99.00 % ({measure})"
    judged = Agreement(50, 0.99, "RMSE", 10.0, 10.04, kind, "", 0.05)
    assert judged.sentence == f"int8 is available (predict --int8): {figures}, RMSE changes by +0.04."
    refused = dataclasses.replace(judged, int8_score=10.06)
    assert refused.sentence.endswith("RMSE changes by +0.06; it needs 98.5 % and at most 0.05.")


def test_an_error_may_change_by_a_part_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class Fake(Fitted):
        task: Number = dataclasses.field(default_factory=Number)
        shift: float = 0.0
        has_int8 = True

        def predict(self, inputs):
            return Predictions(tuple(float(value) + self.shift for value in inputs))

        def with_int8(self):
            return Fake(shift=0.1)

    monkeypatch.setattr(model_folder, "open_model", lambda folder: Fake())
    manifest.write(tmp_path, "finetuned", Classification(("a", "b")), {})
    values = [float(value) for value in range(100)]
    rows = Rows(tuple(map(str, values)), tuple(map(str, values)), tuple(value + 20.0 for value in values))
    found = int8.judge(tmp_path, rows, "RMSE")
    assert found is not None
    assert (found.kind, found.unit, found.score) == ("number", "", 20.0)
    assert found.most == pytest.approx(0.1)
    assert found.int8_score == pytest.approx(19.9)
    assert found.offered
    assert int8.judge(tmp_path, rows, "RMSE") == found


def test_the_axis_of_many_errors_ends_where_most_of_them_do() -> None:
    targets = np.zeros(plots.MOST_DOTS + 1)
    errors = np.linspace(-1.0, 1.0, len(targets))
    errors[0] = -1000.0
    assert number._range({"linear": errors[None]}, targets)[0] > -1.0
    assert number._range({"linear": errors[None, :-1]}, targets[:-1])[0] == -1000.0
    assert number._range({"majority": errors[None]}, targets) == (0.0, 0.0)
