"""The walk from data to verdict, called from Python."""

import json
import random
import re

import pandas
import pytest

import headstart
from headstart import api, explaining
from headstart.checkpoints import folder as checkpoints
from headstart.checkpoints import manifest
from headstart.contest import int8 as eight_bits
from headstart.core import sealed
from headstart.core.alone import alone
from headstart.core.errors import CheckpointError, TrainingError, UsageError
from headstart.core.records import Rows, Table
from headstart.data import split
from headstart.explain import chosen
from headstart.nn.encoder import Encoder
from headstart.tasks.classification import Classification
from headstart.text import vocabulary

pytestmark = pytest.mark.usefixtures("equal_figures_drawn_once")
SCRIPT = "<script>alert(1)</script>"
LABELS = ["bad", SCRIPT]
SMALL = {"vocabulary": 80, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 16, "dropout": 0.1}


def make(rows, start=0):
    """Make texts whose labels are plain from their words."""
    chance = random.Random(start)
    words = {"bad": ["awful", "broken", "slow", "sad"], SCRIPT: ["great", "lovely", "fine", "happy"]}
    labels = [LABELS[number % 2] for number in range(rows)]
    texts = [
        f"{' '.join(chance.choices(['the', 'a', 'film', 'box', 'came', 'and', 'with', 'it', 'was'], k=4))} "
        f"{' '.join(chance.choices(words[label], k=2))} {start + number}"
        for number, label in enumerate(labels)
    ]
    return texts, labels


def quick(data, out, **options):
    events = []
    chosen = {"contenders": ["majority", "linear"], "sizes": [30], "seeds": 2, **options}
    return headstart.compare(data, out=out, listener=events.append, **chosen), events


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "made"
    return quick(make(150), out)[0], out


def test_the_names_of_the_package_are_sorted_and_all_there():
    assert headstart.__all__ == sorted(headstart.__all__)
    assert set(headstart.__all__) < set(dir(headstart))
    for name in headstart.__all__:
        assert getattr(headstart, name).__name__ == name
    assert headstart.__version__.count(".") == 2


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'compares'"):
        _ = headstart.compares


def test_the_leaderboard_is_plain(finished):
    comparison, _ = finished
    first, last = comparison.leaderboard
    assert (first["contender"], last["contender"]) == ("linear", "majority")
    assert 0.5 < first["low"] <= first["score"] <= first["high"] <= 1
    assert last["ties"] is False
    assert json.loads(json.dumps(comparison.leaderboard)) == comparison.leaderboard
    assert 3 <= len(comparison.verdict) <= 5


def test_the_best_is_ready_to_use(finished):
    comparison, out = finished
    texts = ["a lovely great box", "awful and slow"]
    predictions = comparison.best.predict(texts)
    assert predictions.values == (SCRIPT, "bad")
    assert headstart.predict(out / "best", texts).values == predictions.values
    assert headstart.open_model(str(out / "best")).task.classes == tuple(sorted(LABELS))


def test_the_best_has_a_card_which_a_person_may_edit(finished):
    comparison, out = finished
    card = out / "best" / manifest.CARD
    text = card.read_text()
    assert "| linear |" in text
    assert SCRIPT not in text
    assert not any(value in text for value in comparison.result.splits.test.inputs)
    card.write_text(text + "\nWritten by a person.\n")
    assert headstart.open_model(out / "best").task.classes == tuple(sorted(LABELS))
    card.write_text(text)


def test_the_best_is_explained_by_the_method_that_measured_best(finished, monkeypatch):
    comparison, out = finished
    rows = min(explaining.MOST_MEASURED, len(comparison.result.splits.validation))
    choice = chosen.read(out / "best", comparison.best)
    assert (choice.methods, choice.rows) == (2, rows)
    assert f"the most comprehensive of 2 methods on {rows} rows" in (out / "report.html").read_text(encoding="utf-8")
    assert (comparison.model / manifest.EXPLANATION).is_file()
    # It is measured once.
    monkeypatch.setattr(explaining.faithfulness, "measure", None)
    view = explaining.best_of(comparison.result, comparison.model)
    assert view.choice == choice
    (comparison.model / manifest.EXPLANATION).unlink()
    monkeypatch.setattr(explaining, "MEASURE_SECONDS", 0.0)  # a model so slow that its methods are not measured
    view = explaining.best_of(comparison.result, comparison.model)
    assert view.choice.sentence == "contributions, the model's first method, which was not measured"


def test_the_code_in_a_card_opens_the_model_in_transformers(tmp_path, backbone):
    known = {"contenders": ["finetuned:full"], "sizes": [], "seeds": 1, "options": {"full.epochs": 1}}
    quick(make(60), tmp_path, backbone=backbone, **known)
    text = (tmp_path / "best" / manifest.CARD).read_text().replace("FOLDER", str(tmp_path / "best"))
    own, other = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(own, names)
    predicted = names["model"].predict([Classification.SAMPLE[0][0]]).probabilities
    exec(other, names)
    assert names["logits"].softmax(-1).detach().numpy() == pytest.approx(predicted, abs=1e-5)


def test_it_shows_itself_in_a_notebook(finished):
    shown = finished[0]._repr_html_()
    assert "linear" in shown
    assert "<script" not in shown


def test_one_more_contender_trains_only_that_one(tmp_path):
    first, _ = quick(make(60), tmp_path, contenders=["majority"])
    more, events = quick(make(60), tmp_path)
    assert {event.trial.contender for event in events if event.kind == "finished"} == {"linear"}
    assert sum(event.kind == "cached" for event in events) == len(first.result.records)
    assert {line["contender"] for line in more.leaderboard} == {"majority", "linear"}


def test_a_result_answers_as_it_did_after_later_comparisons(tmp_path, monkeypatch, capsys):
    """In a notebook: other labels for the same texts, then a better contender for the same data."""
    monkeypatch.chdir(tmp_path)
    texts, labels = make(60)
    known = {"contenders": ["majority"], "sizes": [], "seeds": 1, "listener": lambda event: None}
    first = headstart.compare((texts, labels), **known)
    before = first.best.predict(texts).values
    second = headstart.compare((texts, [f"other {label}" for label in labels]), **known)
    assert f"so this comparison is in '{second.result.folder}'" in capsys.readouterr().err
    third = headstart.compare((texts, labels), **{**known, "contenders": ["majority", "linear"]})
    assert third.result.folder == first.result.folder != second.result.folder
    assert headstart.open_model(third.result.folder / "best").predict(texts).values != before
    monkeypatch.chdir("/")
    assert first.best.predict(texts).values == before
    assert third.best.predict(texts).values != before


def test_a_curve_tells_what_the_rows_are_worth(finished):
    result = finished[0].result
    assert {point.size for point in result.curve} == {30, len(result.splits.train)}
    records = [record for record in result.records if record.trial.contender == "linear"]
    assert {(record.trial.size, record.trial.seed) for record in records} == {(30, 0), (30, 1), (None, 0)}


def test_data_frames_and_own_test_rows(tmp_path):
    texts, labels = make(100)
    frame = pandas.DataFrame({"review": texts, "stars": labels})
    own = pandas.DataFrame(
        {"review": [*make(20, start=500)[0], texts[0], ""], "stars": [*make(20)[1], labels[0], "bad"]}
    )
    comparison, _ = quick(frame, tmp_path, text="review", label="stars", test=own, sizes=[])
    result = comparison.result
    assert len(result.splits.test) == 21
    assert len(result.splits.leaked) == 1
    assert result.standings[0].clean is not None
    assert [(row.line, row.reason) for row in result.table.rejected] == [(22, "of table has no text")]


def test_a_backbone_that_is_not_there_ends_a_comparison_before_any_training(tmp_path):
    with pytest.raises(UsageError, match="no model folder 'none'"):
        quick(make(60), tmp_path / "out", contenders=["majority", "finetuned:full"], backbone="none", sizes=[])
    assert not (tmp_path / "out").exists()


def test_a_backbone_that_is_damaged_ends_a_comparison_after_the_findings_and_before_any_training(tmp_path, capsys):
    texts, labels = make(60)
    with pytest.raises(CheckpointError, match=r"no config\.json in"):
        headstart.compare(
            ([*texts, texts[0]], [*labels, "rare"]),
            out=tmp_path / "out",
            contenders=["majority", "finetuned:full"],
            backbone=["minilm", str(tmp_path)],
            sizes=[],
        )
    assert "warning" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_contender_that_fails_is_named_and_the_others_go_on(tmp_path):
    wrong = {"scratch.vocabulary": 8}
    comparison, _ = quick(make(60), tmp_path, contenders=["majority", "scratch"], options=wrong, sizes=[])
    assert "a vocabulary of 8 tokens is too small" in comparison.result.skipped["scratch"]
    assert [line["contender"] for line in comparison.leaderboard] == ["majority"]


def test_nobody_is_left(tmp_path):
    with pytest.raises(TrainingError, match="no contender could be trained: scratch: a vocabulary of 8 tokens"):
        quick(make(60), tmp_path, contenders=["scratch"], options={"scratch.vocabulary": 8}, sizes=[])


def test_check_divides_as_compare_does(finished):
    audit = headstart.check(make(150), backbone="none")
    result = finished[0].result
    assert audit.rows == result.audit.rows
    assert audit.labels == result.audit.labels
    kinds = {finding.kind for finding in audit.findings}
    assert {"duplicates", "leakage", "imbalance", "truncation"} <= kinds
    closed = [finding for finding in audit.findings if finding.kind == "backbone"]
    assert ["no model folder 'none'" in finding.sentence for finding in closed] == [True]


def test_check_keeps_its_findings_where_a_backbone_cannot_be_opened(tmp_path):
    audit = headstart.check(make(150), backbone=["minilm", str(tmp_path)])
    by_kind = {finding.kind: finding for finding in audit.findings}
    assert {"duplicates", "leakage", "imbalance", "truncation"} <= by_kind.keys()
    assert "no config.json in" in by_kind["backbone"].sentence
    assert by_kind["backbone"].severity == "warning"


@pytest.fixture
def small(tmp_path):
    """Two folders with a small BERT each, of the same name."""
    folders = []
    for place in ("one", "two"):
        path = tmp_path / place / "model"
        path.mkdir(parents=True)
        tokenizer = vocabulary.train(make(40)[0], 80, window=16)
        checkpoints.save(path, Encoder(**SMALL), tokenizer, "bert", SMALL, ())
        folders.append(str(path))
    return folders


def test_several_backbones_compete_under_their_own_names(small, tmp_path):
    comparison, _ = quick(
        make(60),
        tmp_path / "out",
        contenders=["majority", "finetuned", "ensemble"],
        strategies=["frozen"],
        backbone=",".join(small),
        sizes=[],
        seeds=1,
        options={"finetuned.epochs": 1},
    )
    names = {"finetuned:frozen@one-model", "finetuned:frozen@two-model"}
    assert {line["contender"] for line in comparison.leaderboard} == {"majority", "ensemble", *names}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)
    trial = next(record.trial for record in comparison.result.records if record.trial.contender == "ensemble")
    assert {member.contender for member in trial.members} == {"majority", *names}
    assert comparison.best.predict(["a fine film"]).values[0] in LABELS


def test_pretraining_from_a_model_that_cannot_be_opened_reads_no_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(api.corpora, "of_files", None)
    with pytest.raises(CheckpointError, match=r"no config\.json in"):
        headstart.pretrain(["corpus.txt"], tmp_path / "model", start=str(tmp_path))


def test_a_demonstration_is_a_comparison_with_settings(monkeypatch):
    table = Table("news", Rows((), ()), {"text": ("text",), "label": ("label",)}, "")
    asked = {}
    monkeypatch.setattr(api.demos, "demo", lambda name, task, rows: asked.update(name=name, rows=rows) or table)
    monkeypatch.setattr(api, "compare", lambda data, **options: asked.update(data=data, **options))
    headstart.demo("news", out="here")
    assert asked["data"] is table
    assert (asked["name"], asked["out"]) == ("news", "here")
    assert asked["seeds"] >= 1


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """A comparison that a Transformer wins, since nothing else takes part."""
    shape = {"width": 8, "heads": 2, "layers": 1, "feed_forward": 16, "epochs": 2}
    options = {f"scratch.{name}": value for name, value in shape.items()}
    out = tmp_path_factory.mktemp("runs") / "small"
    quick(make(100), out, contenders=["scratch"], options=options, sizes=[], seeds=1)
    return out


def judged(out, agreement):
    """Change what was found about the winner's int8 version, as another model would have had it."""
    path = out / "best" / eight_bits.FILE
    verdict = sealed.read_note(path) | {"agreement": agreement, "score": 0.9, "int8_score": 0.898}
    manifest.remove(out / "best", eight_bits.FILE)
    sealed.write_note(path, verdict)
    manifest.add(out / "best", eight_bits.FILE)


def test_a_winning_transformer_is_tried_with_int8_once(transformer):
    (own,) = (transformer / "models").glob(f"*/{eight_bits.FILE}")
    best = transformer / "best" / eight_bits.FILE
    agreement = sealed.read_note(best)
    assert agreement.keys() == {"rows", "agreement", "metric", "score", "int8_score", "kind", "unit", "most"}
    assert agreement["rows"] == len(split.read_and_split(make(100), Classification())[1].validation)
    assert sealed.read_note(own) == agreement
    assert eight_bits.FILE in manifest.verify(transformer / "best").files


def test_int8_is_judged_on_validation_rows(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(eight_bits, "judge", lambda folder, rows, metric: seen.append((rows.inputs, metric)))
    validation = make(12, start=700)
    own = {"test": make(30, start=500), "validation": validation, "metric": "MCC"}
    quick(make(60), tmp_path / "out", contenders=["majority"], sizes=[], seeds=1, **own)
    assert seen == [(tuple(validation[0]), "MCC")]


def test_int8_answers_where_it_is_offered(transformer):
    judged(transformer, agreement=0.99)
    texts = make(300, start=7)[0]
    plain = headstart.predict(transformer / "best", texts)
    small = headstart.predict(transformer / "best", texts, int8=True)
    assert 0 < abs(plain.probabilities - small.probabilities).max() < 0.05
    fitted = headstart.open_model(transformer / "best", int8=True)
    backwards = fitted.predict(texts[::-1])
    assert backwards.values == small.values[::-1]
    assert abs(backwards.probabilities[::-1] - small.probabilities).max() < 1e-6


def test_int8_is_refused_with_both_figures(transformer):
    judged(transformer, agreement=0.9)
    for call in (headstart.open_model, lambda folder, int8: headstart.predict(folder, ["a"], int8=int8)):
        with pytest.raises(UsageError, match=r"int8 is refused: 90\.00 % of \d+ .* accuracy changes by -0\.20 points"):
            call(transformer / "best", int8=True)


def test_a_machine_without_int8_compares_all_the_same(tmp_path, monkeypatch):
    def judge(folder, validation, metric):
        raise UsageError("int8 needs an engine.")

    monkeypatch.setattr(api.eight_bits, "judge", judge)
    comparison, _ = quick(make(60), tmp_path, contenders=["majority"], sizes=[])
    assert comparison.best.predict(["a"]).values
    assert (
        api.eight_bits.message(tmp_path / "best", comparison.result.splits.validation, "accuracy")
        == "int8 needs an engine."
    )


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(CheckpointError, match="is not a model folder"):
        headstart.open_model(tmp_path)


def test_a_backbone_that_is_not_there_ends_a_comparison_before_it_begins(tmp_path):
    with pytest.raises(UsageError, match="no model folder 'minilmm'; did you mean 'minilm'"):
        quick(make(60), tmp_path / "run", backbone="minilmm", contenders=["majority", "finetuned:full"])
    assert not (tmp_path / "run").exists()


def test_a_folder_in_which_another_process_works(tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n")
    with alone(tmp_path):
        with pytest.raises(UsageError, match="another headstart process is using"):
            quick(make(60), tmp_path, contenders=["majority"], sizes=[])
        with pytest.raises(UsageError, match="another headstart process is using"):
            headstart.pretrain([texts], tmp_path / "model", work=tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["texts.txt"]


def test_a_teacher_that_is_not_there_ends_a_comparison_before_it_begins(tmp_path):
    options = {"distilled.teacher": "no/such/teacher"}
    with pytest.raises(UsageError, match="no model folder 'no/such/teacher'"):
        quick(make(60), tmp_path / "run", contenders=["majority", "distilled"], options=options)
    assert not (tmp_path / "run").exists()


# --- plain text ----------------------------------------------------------------------------------------------


TINY = {"size": "tiny", "vocabulary": 80, "window": 16, "pretraining_epochs": 1, "epochs": 1}


def test_unlabelled_texts_without_those_of_the_test_rows(tmp_path):
    train, test = make(60), make(30, start=500)
    more = tmp_path / "more.txt"
    more.write_text("\n".join([*make(20, start=900)[0], *test[0][:5]]), encoding="utf-8")
    options = {f"selfpretrained.{name}": value for name, value in TINY.items()}
    comparison, _ = quick(
        train,
        tmp_path / "out",
        test=test,
        contenders=["majority", "selfpretrained"],
        sizes=[],
        seeds=1,
        options=options,
        unlabelled=more,
    )
    (finding,) = [finding for finding in comparison.result.audit.findings if finding.kind == "unlabelled"]
    assert finding.sentence == "25 unlabelled texts were read; left out because they also occur in the test rows: 5."
    assert finding.sentence in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert {line["contender"] for line in comparison.leaderboard} == {"majority", "selfpretrained"}


def test_unlabelled_texts_that_nobody_reads(tmp_path):
    with pytest.raises(UsageError, match="no contender reads them; add distilled or selfpretrained to"):
        quick(make(60), tmp_path / "out", unlabelled=["more"])


def test_pretrain_leaves_a_model_that_is_a_backbone(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(make(40)[0]), encoding="utf-8")
    record = headstart.pretrain([corpus], tmp_path / "model", size="tiny", vocabulary=80, window=16, epochs=1)
    assert record["corpus"]["documents"] == 40
    assert record["recipe"]["next_sentence"] is False  # every document is one sentence
    comparison, _ = quick(
        make(60),
        tmp_path / "out",
        contenders=["finetuned:full"],
        sizes=[],
        seeds=1,
        backbone=str(tmp_path / "model"),
        options={"finetuned.epochs": 1},
    )
    assert comparison.leaderboard[0]["contender"] == "finetuned:full"
    again = headstart.pretrain(
        [corpus], tmp_path / "more", start=str(tmp_path / "model"), epochs=1, next_sentence=True, work=tmp_path / "w"
    )
    assert again["recipe"]["next_sentence"] is True
    assert (tmp_path / "w").is_dir()
