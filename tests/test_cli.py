"""The command line as a person meets it: exit codes, sentences, streams, and what a command leaves behind."""

import csv
import io
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

import headstart
from headstart import api, cli, usage
from headstart.checkpoints import manifest
from headstart.contest import plan
from headstart.core import memory, sealed
from headstart.core.errors import CheckpointError
from headstart.data import write

pytestmark = pytest.mark.usefixtures("equal_figures_drawn_once")
SCRIPT = "<script>alert(1)</script>"
TINY = [
    "--set",
    "scratch.width=8",
    "--set",
    "scratch.heads=2",
    "--set",
    "scratch.layers=1",
    "--set",
    "scratch.epochs=1",
]
GUESS = "Task: classification, guessed from the columns; choose another one with --task."
VERBS = ("compare", "demo", "pretrain", "check", "predict", "chat", "stress", "explain", "update", "push", "list")
COMMAND = [sys.executable, "-m", "headstart.cli"]
HEAVY = ("torch", "sklearn", "scipy", "numpy", "pandas", "matplotlib", "transformers", "tokenizers", "rich", "pydantic")

# What a shell shows as 130 either way: where the signal falls into code that is made at run time, as dataclasses make
# it, Python ends itself by the signal in spite of the exit code.
INTERRUPTED = (130, -signal.SIGINT)


def write_reviews(path, rows=120):
    """Write rows whose label is plain from their words; one of the two labels is hostile."""
    chance = random.Random(0)
    words = {"bad": ["awful", "broken", "slow", "sad"], SCRIPT: ["great", "lovely", "fine", "happy"]}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text", "label"])
        for number in range(rows):
            label = ("bad", SCRIPT)[number % 2]
            common = [chance.choice(["the", "a", "film", "box", "came", "and", "with", "it", "was"]) for _ in range(5)]
            table.writerow(
                [f"{number:03}", " ".join([*common, *chance.choices(words[label], k=2), str(number)]), label]
            )
    return path


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.fixture(scope="module")
def compared(reviews, tmp_path_factory):
    """The folder of a comparison, with its command."""
    out = tmp_path_factory.mktemp("runs") / "reviews"
    command = ["compare", str(reviews), "--contenders", "majority,linear,scratch", *TINY]
    command += ["--sizes", "40", "--seeds", "2", "--out", str(out)]
    assert cli.run(command) == 0
    return out, command


def run(capsys, *arguments):
    """Run a command and return its exit code and the text on both streams."""
    capsys.readouterr()
    code = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def started(*arguments):
    """Start a command in a process of its own, which can be interrupted."""
    command = [*COMMAND, *arguments, "--threads", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# --- starting ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "seconds"), [("from headstart.cli import run; run(['--help'])", 0.9), ("import headstart", 0.5)]
)
def test_it_starts_fast_and_loads_nothing_heavy(code, seconds):
    asked = f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stderr == "[]\n"
    assert min(spent) < seconds


@pytest.mark.parametrize("arguments", [[], ["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_is_on_standard_output(arguments, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: headstart")


def test_the_version_is_that_of_the_package(capsys):
    assert run(capsys, "--version") == (0, f"headstart {headstart.__version__}\n", "")


def test_help_names_what_competes_by_default(capsys):
    help_text = " ".join(run(capsys, "compare", "--help")[1].split()).replace(" ", "")
    assert f"Default:{','.join(plan.CONTENDERS)}." in help_text
    assert f"Default:{','.join(plan.STRATEGIES)}." in help_text


def test_list_names_everything_a_line_each(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0
    for name in (
        "contenders",
        "strategies",
        "tasks",
        "trackers",
        "models",
        "majority",
        "finetuned",
        "partial",
        "minilm",
    ):
        assert re.search(rf"^\s*{name}\b", out, re.MULTILINE)
    assert len(out.splitlines()) == len(api.catalogue()) + sum(map(len, api.catalogue().values()))


# --- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["compar", "x.csv"], 2, "No such command 'compar'. Did you mean 'compare'?"),
        (["compare", "x.csv", "--contender", "a"], 2, "No such option: --contender; did you mean --contenders?"),
        (["compare"], 2, "Missing argument 'DATA'."),
        (["compare", "x.csv", "--seeds", "0"], 2, "Invalid value for '--seeds'"),
        (
            ["compare", "x.csv", "--set", "layers=3"],
            2,
            "cannot parse --set 'layers=3'; write it as in --set scratch.layers=3.",
        ),
        (["compare", "REVIEWS", "--text", "tekst"], 2, r"has no column 'tekst' \(--text\); did you mean 'text'\?"),
        (["compare", "REVIEWS", "--contenders", "lineer"], 2, "no contender 'lineer'; did you mean 'linear'?"),
        (["compare", "REVIEWS", "--strategies", "ful"], 2, "no strategy 'ful'; did you mean 'full'?"),
        (["compare", "REVIEWS", "--metric", "acuracy"], 2, "no metric 'acuracy'; did you mean 'accuracy'?"),
        (["compare", "REVIEWS", "--set", "scratch.layerz=3"], 2, "no option 'layerz'; did you mean 'layers'?"),
        (["compare", "REVIEWS", "--sizes", "ten"], 2, "size 'ten' is not a number of training rows"),
        (["compare", "REVIEWS", "--device", "abacus"], 2, "no device 'abacus'; known: auto, cpu, cuda"),
        (
            ["compare", "REVIEWS", "--task", "clasification"],
            2,
            "no task 'clasification'; did you mean 'classification'?",
        ),
        (["demo", "tweet"], 2, "no demonstration 'tweet'; did you mean 'tweets'?"),
        (["compare", "no/such.csv"], 3, "no file no/such.csv, and no folder no either."),
        (["check", "EMPTY"], 3, "empty.csv"),
        (["predict", "no-model", "REVIEWS"], 1, "'no-model' is not a model folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_fault_is_one_sentence_and_a_code(arguments, code, sentence, reviews, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").touch()
    places = {"REVIEWS": reviews, "EMPTY": tmp_path / "empty.csv"}
    exit_code, out, err = run(capsys, *(places.get(argument, argument) for argument in arguments))
    assert (exit_code, out) == (code, "")
    assert err.startswith("headstart: ")
    assert re.search(sentence if "\\" in sentence else re.escape(sentence), err)
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


class Panic(BaseException):
    """As the tokenizers' Rust code raises: no Exception."""


@pytest.mark.parametrize("error", [ValueError("surprise\nin two lines"), Panic("surprise"), RecursionError()])
def test_an_error_nobody_foresaw_leaves_its_traceback_in_a_file(error, capsys, monkeypatch, tmp_path):
    def fail():
        raise error

    monkeypatch.setattr(usage, "catalogue", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = run(capsys, "list")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"headstart: stopped by an unexpected error \(\w+: .*\); the details are in \S+\.log\.\n", err)
    log = next(tmp_path.iterdir())
    assert str(log) in err
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_a_failure_that_is_explained_has_code_one(capsys, monkeypatch):
    def fail():
        raise CheckpointError("the folder is damaged.")

    monkeypatch.setattr(usage, "catalogue", fail)
    assert run(capsys, "list") == (1, "", "headstart: the folder is damaged.\n")


def test_a_place_that_cannot_be_written(reviews, tmp_path, capsys):
    out = tmp_path / "file" / "out"
    out.parent.touch()
    code, _, err = run(capsys, "compare", reviews, "--contenders", "majority", "--out", out)
    assert code == 2
    assert err.splitlines()[-1] == f"headstart: '{out}' is a file, or inside one: name a folder with --out."


def test_an_error_of_the_system_names_its_file(capsys, monkeypatch):
    def fail():
        raise OSError(28, "No space left on device", "/runs/a")

    monkeypatch.setattr(usage, "catalogue", fail)
    message = "headstart: No space left on device '/runs/a': fix this and rerun the same command.\n"
    assert run(capsys, "list") == (1, "", message)


def test_it_is_interrupted_and_goes_on(reviews, tmp_path, capsys):
    command = ["compare", str(reviews), "--contenders", "majority,scratch", *TINY]
    command += ["--sizes", "all", "--seeds", "2", "--out", str(tmp_path / "out")]
    trials = tmp_path / "out" / "trials"
    with subprocess.Popen(
        [*COMMAND, *command, "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        until = time.monotonic() + 120
        while len(list(trials.glob("*.json"))) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    assert first.returncode in INTERRUPTED
    assert out == ""
    message = "headstart: interrupted; rerun the same command to resume a comparison or a pretraining where it stopped."
    assert err.splitlines()[-1] == message
    assert "Traceback" not in err
    done = {path: path.stat().st_mtime_ns for path in trials.glob("*.json")}
    assert len(done) == 2

    code, _, err = run(capsys, *command)
    assert code == 0, err
    assert len(list(trials.glob("*.json"))) == 3
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert err.count("from an earlier run") == len(done)


# --- compare -------------------------------------------------------------------------------------------------


def test_compare_tells_a_person_and_leaves_its_files(compared, capsys):
    folder, command = compared
    code, out, err = run(capsys, *command)
    assert code == 0
    assert "contender" in out
    assert "linear is the best" in out
    assert str(folder / "report.html") in out.replace("\n", "")
    assert err.splitlines()[0] == GUESS
    assert err.count("from an earlier run") == len(err.splitlines()) - 1
    assert {"report.html", "result.json", "trials", "best"} <= {path.name for path in folder.iterdir()}
    assert not list(folder.glob("*.part"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)" in page


def test_json_is_all_there_is_on_standard_output(compared, capsys):
    folder, command = compared
    code, out, err = run(capsys, *command, "--json")
    printed = json.loads(out)
    assert code == 0
    assert printed == json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert printed["best"] == "linear"
    assert {line["contender"] for line in printed["standings"]} == {"majority", "linear", "scratch"}
    assert "truncation" in {finding["kind"] for finding in printed["audit"]["findings"]}
    assert "[1/" in err


def test_no_color_is_honoured(compared, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert re.search(r"\x1b\[[\d;]*3\dm", run(capsys, *compared[1])[1])
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\dm", "".join(map(str, run(capsys, *compared[1]))))


def test_threads_are_limited_before_anything_is_loaded(capsys, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    run(capsys, "demo", "none", "--threads", "1")
    assert os.environ["OMP_NUM_THREADS"] == os.environ["RAYON_NUM_THREADS"] == "1"
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_doubts_about_the_data_are_told_before_anything_is_trained(reviews, tmp_path, capsys):
    rows = reviews.read_text(encoding="utf-8").splitlines()
    faulty = tmp_path / "faulty.csv"
    faulty.write_text("\n".join([*rows, *(f"{number},," for number in range(30)), ""]), encoding="latin-1")
    command = [
        "compare",
        faulty,
        "--contenders",
        "majority",
        "--seeds",
        "1",
        "--sizes",
        "all",
        "--out",
        tmp_path / "out",
    ]
    code, _, err = run(capsys, *command)
    lines = err.splitlines()
    assert code == 0
    assert lines[0] == "warning  30 of 150 rows (20.0%) could not be used; each is listed with its line."
    assert [line.split()[:2] for line in lines[1:21]] == [["line", str(number)] for number in range(122, 142)]
    assert lines[21].split() == ["and", "10", "more;", "headstart", "check", "lists", "all"]
    assert lines[22] == GUESS
    assert lines[23].startswith("[1/1] majority")


# --- check ---------------------------------------------------------------------------------------------------


def test_check_finds_what_is_wrong_and_trains_nothing(reviews, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = reviews.read_text(encoding="utf-8").splitlines()
    own = tmp_path / "own.csv"
    own.write_text("\n".join([*rows[:5], "x,,bad", "y,new words here,good", "a,b,c,d", ""]), encoding="utf-8")
    code, out, err = run(capsys, "check", reviews, "--test", own, "--json")
    assert (code, err) == (0, f"{GUESS}\n")
    audit = json.loads(out)
    findings = {finding["kind"]: finding for finding in audit["findings"]}
    assert findings["leakage"]["count"] == 4
    assert findings["unseen-labels"]["count"] == 1
    assert [row[0] for row in findings["rejected"]["examples"]] == ["line 6", "line 8"]
    assert findings["rejected"]["count"] == 2
    assert audit["rows"]["test"] == 5
    code, out, err = run(capsys, "check", reviews, "--test", own, "--task", "classification")
    assert (code, err) == (0, "")
    assert re.search(r"^warning\s+4 of 5 rows", out, re.MULTILINE)
    assert "line 6 of own.csv has no text" in " ".join(out.split())
    assert [path.name for path in tmp_path.iterdir()] == ["own.csv"]


def test_a_label_cannot_speak_to_the_terminal(tmp_path, capsys):
    path = tmp_path / "a.csv"
    lines = [f"some text number {number},{'red' if number % 9 else chr(27) + '[31mred'}" for number in range(90)]
    path.write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    _, out, _ = run(capsys, "check", path)
    assert "\x1b" not in out
    assert "\\x1b[31mred" in out


EVIL = "\x1b]0;a\x07\x9b31m\u202eb\u2066\u200f\u200b\ufeff\u2028[red]c\udcff\n"


def is_plain(printed):
    return all(letter.isprintable() or letter == "\n" for letter in printed)


def test_no_argument_speaks_to_the_terminal(tmp_path, capsys, reviews):
    evil = str(tmp_path / f"{EVIL}.csv")
    commands = [
        ["check", evil],
        ["check", reviews, "--test", evil],
        ["check", reviews, "--text", EVIL],
        ["check", reviews, "--encoding", EVIL],
        ["check", reviews, "--seed", EVIL],
        ["check", f"hf://datasets/{EVIL}/b"],
        [EVIL],
        ["list", EVIL],
        ["check", f"--{EVIL}"],
        ["demo", EVIL],
        ["predict", evil, reviews],
        ["predict", evil, evil, "--out", evil],
        ["pretrain", evil, "--out", evil, "--from", EVIL],
        *(["compare", reviews, option, EVIL] for option in ("--contenders", "--strategies", "--sizes", "--metric")),
        *(["compare", reviews, option, EVIL] for option in ("--backbone", "--set", "--device", "--track", "--budget")),
        *(["compare", reviews, "--set", f"scratch.{name}={EVIL}"] for name in ("layers", EVIL)),
        ["compare", reviews, "--unlabelled", evil],
    ]
    for command in commands:
        code, out, err = run(capsys, *command)
        assert code in (1, 2, 3), command
        assert is_plain(out + err), command
        assert "headstart: " in err


def test_no_file_speaks_to_the_terminal(tmp_path, capsys, compared):
    evil = EVIL.replace("\udcff", "").strip()
    named = tmp_path / f"{EVIL}.csv"
    chance = random.Random(0)
    rows = [f'"{chance.getrandbits(200):x} text of {number} {evil}","{number % 2}{evil}"' for number in range(40)]
    named.write_text("\n".join([f'"{evil}","label"', *rows, "one", ""]), encoding="utf-8")
    for extra in ([], ["--json"]):
        code, out, err = run(capsys, "check", named, *extra)
        assert code == 0, err
        assert is_plain(out + err)
    out = tmp_path / f"out{EVIL}"
    for extra in ([], ["--json"]):
        command = ["compare", named, "--contenders", "majority,linear", "--sizes", "all", "--seeds", "1", "--out", out]
        code, printed, warned = run(capsys, *command, *extra)
        assert code == 0, warned
        assert is_plain(printed + warned)
    answers = tmp_path / "a.csv"
    code, printed, warned = run(capsys, "predict", compared[0] / "best", named, "--text", evil, "--out", answers)
    assert code == 0, warned
    assert is_plain(printed + warned)


def test_predictions_on_a_terminal_are_shown_and_not_obeyed(tmp_path, capsys, compared, monkeypatch):
    evil = EVIL.replace("\udcff", "").strip()
    for ending, content in (("csv", f'text\n"{evil}"\n'), ("jsonl", json.dumps({"text": evil}) + "\n")):
        path = tmp_path / f"a.{ending}"
        path.write_text(content, encoding="utf-8")
        piped = run(capsys, "predict", compared[0] / "best", path)[1]
        assert "\u202e" in piped
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            shown = run(capsys, "predict", compared[0] / "best", path)[1]
        assert is_plain(shown)
        if ending == "jsonl":
            assert json.loads(shown) == json.loads(piped)


# --- predict -------------------------------------------------------------------------------------------------


def test_predict_keeps_columns_and_adds_labels(compared, reviews, tmp_path, capsys):
    out = tmp_path / "answers.csv"
    assert run(capsys, "predict", compared[0] / "best", reviews, "--out", out) == (0, "", "")
    with out.open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    assert list(answers[0]) == ["id", "text", "label", "predicted", f"p({SCRIPT})", "p(bad)"]
    assert [row["id"] for row in answers] == [f"{number:03}" for number in range(120)]
    assert all(row["label"] == row["predicted"] for row in answers)
    for row in answers:
        assert float(row[f"p({row['predicted']})"]) > 0.5
        assert float(row[f"p({SCRIPT})"]) + float(row["p(bad)"]) == pytest.approx(1, abs=2e-6)


def test_predict_writes_to_standard_output_and_names_bad_rows(compared, tmp_path, capsys):
    source = tmp_path / "in.csv"
    source.write_text("words,n\nawful broken,1\n,2\ngreat,3,4\ngreat lovely film,5\n", encoding="utf-8")
    code, out, err = run(capsys, "predict", compared[0] / "best", source, "--text", "words")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["n"], row["label"]) for row in rows] == [("1", "bad"), ("2", ""), ("5", SCRIPT)]
    assert "line 3 has no text: it gets no label" in err
    assert "line 4 is too long: 3 cells where the header has 2" in err


def test_predict_gives_memory_back_now_and_then(compared, reviews, capsys, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(memory, "give_back", lambda: calls.append(1))
    monkeypatch.setattr(write, "CHUNK", 50)
    command = ["predict", compared[0] / "best", reviews, "--out", tmp_path / "labelled.csv"]
    assert run(capsys, *command)[0] == 0
    assert not calls
    monkeypatch.setattr(memory, "GIVE_BACK_SECONDS", 0.0)
    assert run(capsys, *command)[0] == 0
    assert len(calls) == 3


def test_predict_answers_as_the_model_does(compared, reviews, capsys, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "awful slow film"}\n{"text": "lovely"}\n', encoding="utf-8")
    _, out, _ = run(capsys, "predict", compared[0] / "best", source)
    rows = [json.loads(line) for line in out.splitlines()]
    expected = api.predict(compared[0] / "best", [row["text"] for row in rows])
    assert [row["label"] for row in rows] == list(expected.values)
    for row, probabilities in zip(rows, expected.probabilities, strict=True):
        assert [row[f"p({name})"] for name in expected.classes] == pytest.approx(probabilities.tolist(), abs=1e-6)


def test_predict_abstains_from_as_many_rows_as_the_validation_rows_say(compared, reviews, capsys, tmp_path):
    source, best = tmp_path / "in.jsonl", compared[0] / "best"
    source.write_text('{"text": "awful slow film"}\n{"text": "no word that is known"}\n', encoding="utf-8")
    code, out, err = run(capsys, "predict", best, source, "--abstain", "coverage=0.5")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, rows[1]["label"], rows[0]["confidence"] > rows[1]["confidence"]) == (0, None, True)
    assert "of 2 rows get no label: their confidence is below" in err
    texts = [row["text"] for row in rows]
    assert list(api.predict(best, texts, abstain="coverage=0.5").values) == [row["label"] for row in rows]
    code, _, err = run(capsys, "predict", best, source, "--abstain", "0.5")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("headstart: cannot parse --abstain '0.5'; write coverage=0.9")


def test_int8_is_said_and_answers_or_is_refused(reviews, tmp_path, capsys):
    out, answers = tmp_path / "run", tmp_path / "answers.csv"
    command = ["compare", reviews, "--contenders", "scratch", *TINY, "--sizes", "all", "--seeds", "1", "--out", out]
    code, printed, err = run(capsys, *command)
    assert code == 0
    (sentence,) = [line for line in err.splitlines() if line.startswith("int8 is ")]
    assert "int8 is" not in printed
    assert run(capsys, *command)[2].splitlines()[-1] == sentence
    path = out / "best" / "int8.json"
    comparison = sealed.read_note(path)
    path.unlink()
    code, _, err = run(capsys, "predict", out / "best", reviews, "--out", answers, "--int8")
    assert code == 1
    assert re.match(r"headstart: '.*int8\.json' is missing; copy the model's folder again, or save it again\.", err)
    sealed.write_note(path, {**comparison, "agreement": 0.985, "score": 0.9, "int8_score": 0.905})
    manifest.add(out / "best", path.name)
    code, _, err = run(capsys, "predict", out / "best", reviews, "--out", answers, "--int8")
    assert (code, len(err.splitlines())) == (0, 1)
    assert re.match(
        r"int8 is available .*: 98\.50 % of \d+ validation labels are unchanged, accuracy changes by \+0\.50", err
    )
    with answers.open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [f"{number:03}" for number in range(120)]
    sealed.write_note(path, {**comparison, "agreement": 0.98, "score": 0.9, "int8_score": 0.9})
    manifest.add(out / "best", path.name)
    code, _, err = run(capsys, "predict", out / "best", reviews, "--int8")
    assert code == 2
    assert re.match(r"headstart: int8 is refused: 98\.00 % of .* changes by \+0\.00 points; it needs 98\.5 %", err)


def test_a_model_without_a_transformer_has_no_int8(compared, reviews, capsys):
    code, out, err = run(capsys, "predict", compared[0] / "best", reviews, "--int8")
    assert (code, out) == (2, "")
    assert "contains no Transformer, and only Transformers have an int8 version" in err


def test_a_reader_who_leaves_is_no_error_message(compared, tmp_path):
    source = write_reviews(tmp_path / "many.csv", rows=9000)
    command = [*COMMAND, "predict", str(compared[0] / "best"), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"id,text,label,predicted")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


# --- pretrain ------------------------------------------------------------------------------------------------


def test_pretrain_goes_on_where_it_was_killed_and_says_what_came_of_it(tmp_path, capsys):
    corpus = tmp_path / "corpus.txt"
    texts = [f"The {noun} came late. It was {word}." for noun in ("box", "film", "cat") for word in "abcdefghij"]
    corpus.write_text("\n\n".join(texts), encoding="utf-8")
    command = ["pretrain", str(corpus), "--out", str(tmp_path / "model"), "--size", "tiny"]
    command += ["--vocabulary", "60", "--window", "16", "--batch-tokens", "64", "--epochs", "40"]
    with subprocess.Popen(
        [*COMMAND, *command, "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        until = time.monotonic() + 120
        while not list(tmp_path.glob("model.work/training-*/plan.json")) and time.monotonic() < until:
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    assert first.returncode in INTERRUPTED
    assert out == ""
    assert err.splitlines()[-1].endswith("to resume a comparison or a pretraining where it stopped.")
    code, out, err = run(capsys, *command)
    assert code == 0, err
    assert "tokens, 40 passes" in err
    assert "with another size, about: mini" in err
    assert "timing a few steps" not in err
    lines = out.splitlines()
    assert lines[0].startswith("held-out text (1 document): ")
    assert lines[-1].endswith(f"headstart compare DATA --backbone {tmp_path / 'model'}")
    assert json.loads((tmp_path / "model" / "pretraining.json").read_text())["corpus"]["documents"] == 30


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--size", "smal"], 2, "no size 'smal'; did you mean 'small'?"),
        (["--text", "tekst"], 2, r"reviews.csv has no column 'tekst' \(--text\); did you mean 'text'\?"),
        (["--from", "nowhere"], 2, "nowhere"),
    ],
)
def test_pretrain_says_what_is_wrong(reviews, tmp_path, capsys, arguments, code, sentence):
    exit_code, out, err = run(capsys, "pretrain", reviews, "--out", tmp_path / "model", *arguments)
    assert (exit_code, out) == (code, "")
    assert re.search(sentence, err.splitlines()[-1])


def test_pretrain_replaces_no_folder_with_something_else(reviews, tmp_path, monkeypatch, capsys):
    (tmp_path / "thesis.txt").touch()
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "pretrain", reviews, "--out", ".")
    assert code == 2
    assert err.splitlines()[-1] == (
        "headstart: '.' exists and is not a pretrained model, so it is not replaced; name another folder."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_encoding_that_lacks_letters_costs_no_result(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "très bien,été\nnon merci,hiver\nça va,été\npas mal,hiver\n" * 5, encoding="utf-8")
    for options in ([], ["--json"]):
        streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="cp1251") for name in ("stdout", "stderr")}
        with monkeypatch.context() as patch:
            for name, stream in streams.items():  # as Python makes them where PYTHONIOENCODING is cp1251
                patch.setattr(sys, name, stream)
            code = cli.run(["check", str(path), "--task", "classification", *options])
            for stream in streams.values():
                stream.flush()
        printed, said = (stream.buffer.getvalue() for stream in streams.values())
        assert (code, said) == (0, b"")
        if options:
            assert json.loads(printed)["labels"]["train"].keys() == {"été", "hiver"}
        else:
            assert b"'?t?'" in printed


@pytest.fixture(scope="module")
def goods(tmp_path_factory):
    """Rows whose label follows from a price, with a rating that is the label and texts that say nothing."""
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("goods") / "goods.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "price", "country", "rating", "label"])
        for number in range(200):
            words = " ".join(chance.choices(["the", "a", "film", "box", "came", "and", "with", "it", "was"], k=7))
            dear = number % 2
            price = round(chance.gauss(40 + 30 * dear, 10), 2)
            table.writerow([f"{words} {number}", price, chance.choice(["DE", "FR"]), dear, ["low", "high"][dear]])
    return path


@pytest.fixture(scope="module")
def with_columns(goods, tmp_path_factory):
    """The folder of a comparison with columns, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "goods"
    command = ["compare", str(goods), "--columns", "price, country", "--contenders", "majority,linear,distilled"]
    assert cli.run([*command, "--label", "label", "--sizes", "all", "--out", str(out)]) == 0
    return out


def test_columns_are_read_and_said_to_be_worth_something(with_columns):
    result = json.loads((with_columns / "result.json").read_text())
    assert {one["contender"] for one in result["standings"]} == {
        "majority",
        "linear",
        "linear:text",
        "linear:columns",
    }
    assert result["skipped"] == {"distilled": "it cannot read columns beside the text (--columns)"}
    worth = {(one["contender"], one["role"]): one["difference"] for one in result["text_and_columns"]}
    assert worth["linear", "text"]["low"] > 0
    assert any(one["kind"] == "columns" for one in result["audit"]["findings"])
    assert "Text and columns" in (with_columns / "report.html").read_text()


def test_predict_needs_the_columns_and_counts_what_it_reads_otherwise(with_columns, tmp_path, capsys):
    more, out = tmp_path / "more.csv", tmp_path / "out.csv"
    more.write_text("text,country,price\nfine box,DE,20\nfine box,XX,90\nfine box,FR,n/a\n,FR,5\n")
    code, _, said = run(capsys, "predict", with_columns / "best", more, "--out", out)
    assert code == 0
    assert [row["label"] for row in csv.DictReader(out.open())][:2] == ["low", "high"]
    assert "column 'country': 1 of 4 rows have a category that training does not know, which is read as none." in said
    assert "column 'price': 1 of 4 rows have something else than a number, which is read as no value." in said
    more.write_text("text,country\nfine box,DE\n")
    code, _, said = run(capsys, "predict", with_columns / "best", more)
    assert code == 2
    assert "more.csv has no column 'price', which the model reads beside the text; add it" in said


def test_python_predicts_with_columns_and_says_what_it_reads_otherwise(with_columns, capsys):
    inputs = [{"text": "box", "columns": {"price": price, "country": "XX"}} for price in (20, 90)]
    capsys.readouterr()
    assert api.predict(with_columns / "best", inputs).values == ("low", "high")
    assert "column 'country': 2 of 2 rows have a category that training does not know" in capsys.readouterr().err


def test_check_warns_of_a_column_that_is_the_label(goods, capsys):
    code, out, _ = run(capsys, "check", goods, "--columns", "rating", "--label", "label")
    assert code == 0
    assert "Column 'rating' alone gives the answer of 100.0% of the rows that are held out" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--columns", "prize"], "has no column 'prize' (--columns); did you mean 'price'"),
        (["--columns", "text=price"], "to name the column of a role, use --column ROLE=NAME"),
        (["--column", "price"], "Columns beside the text are named by --columns."),
        (["--columns", ""], "--columns names no column"),
        (["--columns", "label"], "column 'label' is read as the label"),
        (["--columns", "price", "--task", "ner"], "--columns is for tasks whose answers are a label"),
    ],
)
def test_columns_that_cannot_be_read_are_one_sentence(goods, arguments, sentence, capsys):
    code, _, said = run(capsys, "check", goods, "--label", "label", *arguments)
    assert code == 2
    assert sentence in said
