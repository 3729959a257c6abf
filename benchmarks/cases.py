"""Input files as users have them: is each read as its author meant it, or refused with a clear message?

``python -m benchmarks cases DIR`` judges the files of a folder that this module knows by name, and reports how the
others were read. Each verdict is 'right', 'clear error' (where a refusal is acceptable) or 'WRONG' with the reason.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks._common import record
from headstart.core.errors import HeadstartError
from headstart.core.records import Table
from headstart.reading import read

THIRDS = {"pos": 40, "neg": 40, "neu": 40}
FIRST = "In short: the phone bright colours and soft touch"
QUICK = ["--contenders", "majority,linear", "--seeds", "1", "--sizes", "all"]
SECONDS = 300


@dataclass(frozen=True)
class Expected:
    """How a labelled table should be read.

    rows: usable rows; with `rejected`, usable and rejected rows.
    labels: number of rows per label, ignoring case; empty for any.
    first: prefix of the first text.
    within: substring of some text.
    encoding: of the file; every text must match its decoding. '' for any.
    warned: a pattern that a warning or a rejection must match.
    error: a pattern of a refusal that is acceptable too; '' if the table must be read.
    rejected: whether rejected rows count in `rows`.
    text: column named by the caller.
    label: column named by the caller.
    """

    rows: int = 120
    labels: Mapping[str, int] | None = None
    first: str = ""
    within: str = ""
    encoding: str = ""
    warned: str = ""
    error: str = ""
    rejected: bool = False
    text: str | None = None
    label: str | None = None


PLAIN = Expected(labels=THIRDS, first=FIRST)
TABLES: dict[str, Expected] = {
    "array.json": PLAIN,
    "backslash_quotes.csv": Expected(labels=THIRDS, first=FIRST, within='he said "never again", really'),
    "bar.txt": PLAIN,
    "bom_crlf.jsonl": PLAIN,
    "bool_labels.jsonl": Expected(labels={"true": 40, "false": 80}),
    "bool_labels_excel.csv": Expected(labels={"true": 40, "false": 80}),
    "categorical.parquet": Expected(rows=90),
    "columns_orient.json": Expected(labels=THIRDS, first=FIRST, error="JSON"),
    "cr_only.csv": PLAIN,
    "ctrl_label.csv": Expected(),
    "decimal_comma_score.csv": PLAIN,
    "dup_columns.csv": Expected(labels=THIRDS, first=FIRST, warned="twice|same", error="two columns named 'label'"),
    "excel_sep_line.csv": PLAIN,
    "excel_unicode_text.txt": PLAIN,
    "float_halves.csv": Expected(),
    "french_cp1252.csv": Expected(encoding="cp1252", warned="cp1252|windows-1252"),
    "gbk.csv": Expected(encoding="gb18030", warned="(?i)gb"),
    "gbk_en_header.csv": Expected(encoding="gb18030", warned="(?i)gb"),
    "hash_comment.csv": PLAIN,
    "header_commas_semicolon.csv": PLAIN,
    "headerless.csv": Expected(labels=THIRDS, first=FIRST, warned="column names|header", error="column names|header"),
    "hf_classlabel.parquet": Expected(rows=90, labels={"neg": 30, "neu": 30, "pos": 30}),
    "japanese_sjis.csv": Expected(encoding="cp932", warned="(?i)cp932|shift"),
    "label_named_as_column.csv": Expected(labels={"ham": 80, "spam": 40}, text="text", label="spam"),
    "label_unicode_forms.csv": Expected(warned="alike|look"),
    "labels_as_lists.jsonl": PLAIN,
    "large_string_nulls.parquet": Expected(rows=90, rejected=True, warned="no label"),
    "late_key.jsonl": Expected(rows=1200),
    "leading_zeros.csv": Expected(labels={"01": 40, "1": 40, "001": 40}),
    "list_label.parquet": Expected(rows=90, labels={"neg": 30, "neu": 30, "pos": 30}),
    "many_classes.csv": Expected(rows=600),
    "minus_one_unlabelled.csv": Expected(warned="-1"),
    "missing_texts.csv": Expected(rows=40, rejected=True, warned="no text"),
    "nan_literal.jsonl": Expected(labels={"1": 40, "0": 40}, rejected=True, warned="no label"),
    "nan_string_labels.csv": Expected(rejected=True, warned="nan"),
    "nul_bytes.csv": Expected(rejected=True, warned="NUL"),
    "numeric_labels.csv": Expected(labels={"10": 40, "9": 40, "-2": 40}),
    "odd_texts.csv": Expected(rejected=True),
    "only_emoji.csv": Expected(rows=80, labels={"a": 40, "b": 40}),
    "plain.csv": PLAIN,
    "plain.csv.bz2": Expected(labels=THIRDS, first=FIRST, error="bz"),
    "rows_wholly_quoted.csv": Expected(labels=THIRDS, first=FIRST, error="quot"),
    "russian_cp1251.csv": Expected(encoding="cp1251", warned="cp1251|windows-1251"),
    "single_quotes.jsonl": Expected(labels=THIRDS, first=FIRST, error="JSON"),
    "space_after_comma.csv": PLAIN,
    "struct_text.parquet": Expected(rows=90, first="My brother", error="text|struct|column"),
    "table.feather": Expected(rows=90, error="(?i)feather|arrow"),
    "tokens_list.jsonl": Expected(labels=THIRDS, first="In short: the phone", error="list"),
    "trailing_commas.csv": PLAIN,
    "tsv_leading_quote.tsv": Expected(labels=THIRDS, first='"In short: the phone " bright'),
    "tsv_odd_leading_quote.tsv": Expected(labels=THIRDS, first=FIRST),
    "unclosed_quote_inch.csv": Expected(rejected=True),
    "レビュー data (final) 100%.csv": PLAIN,
}


def main(folder: str = "") -> None:
    """Judge every case of a folder, print one line each, and write the record."""
    where = Path(folder)
    if not folder or not where.is_dir():
        sys.exit("say which folder holds the cases: python -m benchmarks cases DIR.")
    answers: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as work:
        walks = {**dict.fromkeys(TABLES, _whole_table), **WALKS}
        for path in sorted(where.iterdir()):
            judge = walks.get(path.name, _unknown)
            place = Path(work) / str(len(answers))
            place.mkdir()
            for name, answer in _judged(judge, path, place).items():
                answers[name] = answer
                print(f"{answer.split(':')[0]:12} {name}{':'.join(['', *answer.split(':')[1:]])}", flush=True)
    counts = Counter(answer.split(":")[0] for answer in answers.values())
    print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    record("cases", {"counts": dict(counts), "answers": answers})


def _judged(judge: Callable[[Path, Path], dict[str, str] | str], path: Path, work: Path) -> dict[str, str]:
    try:
        verdict = judge(path, work)
    except Exception as error:  # unexpected exceptions are what this benchmark looks for
        last = traceback.extract_tb(error.__traceback__)[-1]
        verdict = f"WRONG: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    if isinstance(verdict, str):
        return {path.name: verdict}
    return {f"{path.name} {name}": each for name, each in verdict.items()}


# --- files --------------------------------------------------------------------------------------------------------


def _whole_table(path: Path, work: Path) -> str:
    """Read a labelled table and compare it with what is expected; then check what `check` prints about it."""
    expected = TABLES[path.name]
    try:
        table = read(path, task="classification", text=expected.text, label=expected.label)
    except HeadstartError as error:
        return _refused(str(error), expected.error)
    faults = _faults(table, expected, path)
    if not faults:
        columns = ["--text", expected.text, "--label", expected.label] if expected.text and expected.label else []
        code, out, err = _headstart(work, "check", str(path), *columns)
        if code or "Traceback" in err:
            faults.append(f"check ended with {code}: {err.strip()[-200:]}")
        elif expected.warned and not expected.rejected and not re.search(expected.warned, out + err):
            faults.append("check does not print the warning")
        elif "\x1b" in out + err:
            faults.append("check prints an escape sequence of the data")
    return f"WRONG: {'; '.join(faults)}" if faults else "right"


def _faults(table: Table, expected: Expected, path: Path) -> list[str]:
    rows, bad = len(table.rows), len(table.rejected)
    faults = []
    if rows + bad * expected.rejected != expected.rows or not rows:
        faults.append(f"{rows} rows and {bad} rejected instead of {expected.rows}")
    labels = dict(Counter(label.casefold() for label in table.rows.targets))
    if expected.labels and labels != dict(expected.labels):
        faults.append(f"labels {dict(list(labels.items())[:5])} instead of {dict(expected.labels)}")
    texts = table.rows.inputs
    if not texts or not texts[0].startswith(expected.first):
        faults.append(f"the first text is {texts[0][:60] if texts else ''!r}")
    if expected.within and not any(expected.within in text for text in texts):
        faults.append(f"no text holds {expected.within!r}")
    if expected.encoding:
        truth = [row[0] for row in csv.reader(io.StringIO(path.read_bytes().decode(expected.encoding)))][1:]
        if list(texts) != truth:
            faults.append(f"read in another encoding: {texts[0][:30]!r}")
    messages = " ".join([*table.warnings, *(row.reason for row in table.rejected)])
    if expected.warned and not re.search(expected.warned, messages):
        faults.append(f"nothing warns of {expected.warned!r}")
    return faults


def _refused(message: str, wanted: str) -> str:
    if wanted and re.search(wanted, message):
        return f"clear error: {message}"
    return f"WRONG: refused: {message}"


def _unknown(path: Path, work: Path) -> str:
    """Report how a file was read whose meaning this module does not know."""
    try:
        table = read(path, task="classification")
    except HeadstartError as error:
        return f"not judged: refused: {error}"
    labels = Counter(table.rows.targets).most_common(4)
    return f"not judged: {len(table.rows)} rows, {len(table.rejected)} rejected, labels {labels}, {table.warnings}"


# --- walks through the command line ---------------------------------------------------------------------------------


def _headstart(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in a folder; return exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "headstart.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def _clear(code: int, err: str) -> bool:
    """Return whether a command ended with one clear message."""
    return code in (2, 3) and "Traceback" not in err and "nobody foresaw" not in err and "unexpected" not in err


def _only_compared(pattern: str = "", finding: str = "") -> Callable[[Path, Path], str]:
    """Compare a file; a refusal that matches `pattern` is a clear error, otherwise `finding` must be printed."""

    def judge(path: Path, work: Path) -> str:
        code, out, err = _headstart(work, "compare", str(path), *QUICK, "--out", "run")
        if code == 0:
            return "right" if re.search(finding, out + err) else f"WRONG: nothing says {finding!r}"
        last = err.strip().splitlines()[-1]
        return f"clear error: {last}" if _clear(code, err) and re.search(pattern, err) else f"WRONG: {last}"

    return judge


def _model(work: Path, data: Path, *options: str) -> Path:
    """Train a linear model on a file and return its folder."""
    code, _, err = _headstart(work, "compare", str(data), *QUICK, "--out", "model-run", *options)
    if code:
        raise RuntimeError(f"no model of {data.name}: {err.strip()[-300:]}")
    return work / "model-run" / "best"


def _predicted(work: Path, model: Path, file: Path, suffix: str = ".jsonl") -> list[dict[str, object]]:
    out = work / f"answers{suffix}"
    code, _, err = _headstart(work, "predict", str(model), str(file), "--out", str(out))
    if code:
        raise RuntimeError(f"predict ended with {code}: {err.strip()[-300:]}")
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def _lines(path: Path, work: Path) -> str:
    rows = _predicted(work, _model(work, path.with_name("plain.csv")), path)
    wanted = path.read_text(encoding="utf-8").splitlines()
    whole = [any(value == line for value in row.values()) for row, line in zip(rows, wanted, strict=False)]
    return (
        "right" if len(rows) == len(wanted) and all(whole) else f"WRONG: {len(rows)} of {len(wanted)} lines are whole"
    )


def _late_key(path: Path, work: Path) -> str:
    table = _whole_table(path, work)
    rows = _predicted(work, _model(work, path.with_name("plain.csv")), path)
    copied = sum(bool(row.get("extra")) for row in rows)
    return table if copied == 100 else f"WRONG: predict keeps {copied} of 100 values of the late key"


def _typed(path: Path, work: Path) -> str:
    rows = _predicted(work, _model(work, path.with_name("plain.csv")), path)
    before = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = [key for old, new in zip(before, rows, strict=True) for key in old if new.get(key, 0) != old[key]]
    return f"WRONG: predict changes {sorted(set(changed))}" if changed else "right"


def _body(path: Path, work: Path) -> str:
    rows = _predicted(work, _model(work, path, "--text", "body"), path)
    right = sum(row["label"] == row.get("predicted") for row in rows) / len(rows)
    return "right" if right > 0.9 else f"WRONG: {right:.0%} of the training rows are answered rightly"


def _halves(path: Path, work: Path) -> str:
    train = path.with_name("float_halves.csv")
    code, out, err = _headstart(work, "compare", str(train), "--test", str(path), *QUICK, "--out", "run", "--json")
    if code:
        return f"WRONG: {err.strip()[-200:]}"
    unseen = next(f for f in json.loads(out)["audit"]["findings"] if f["kind"] == "unseen-labels")
    return "right" if not unseen["count"] else f"WRONG: {unseen['sentence']}"


def _own_test(pattern: str, right: str) -> Callable[[Path, Path], str]:
    def judge(path: Path, work: Path) -> str:
        train = path.with_name("plain.csv")
        code, out, err = _headstart(work, "compare", str(train), "--test", str(path), *QUICK, "--out", "run")
        if code:
            last = err.strip().splitlines()[-1]
            return f"clear error: {last}" if _clear(code, err) and re.search(pattern, err) else f"WRONG: {last}"
        return "right" if right and re.search(right, out + err) else "WRONG: compared without a word"

    return judge


def _control_labels(path: Path, work: Path) -> str:
    answer = _whole_table(path, work)
    code, out, err = _headstart(work, "compare", str(path), *QUICK, "--out", "run")
    page = (work / "run" / "report.html").read_text(encoding="utf-8") if code == 0 else ""
    if code or "\x1b[31mpos" in out + err + page or "<img src=x onerror" in page:
        return f"WRONG: the labels' control characters or markup reach the terminal or the page (exit {code})"
    return answer


def _script(right: Callable[[str], bool], *, needs_checkpoint: bool = False) -> Callable[[Path, Path], str]:
    """Run a script of the folder and judge what it prints."""

    def judge(path: Path, work: Path) -> str:
        arguments = []
        if needs_checkpoint:
            made = work / "checkpoints"
            subprocess.run(
                [sys.executable, str(path.with_name("checkpoints.py")), str(made)], check=True, capture_output=True
            )
            arguments = [str(made / "plain")]
        done = subprocess.run(
            [sys.executable, str(path), *arguments], cwd=work, capture_output=True, text=True, timeout=SECONDS
        )
        lines = done.stdout.strip()
        err = " / ".join(lines.splitlines()) or (done.stderr.strip().splitlines() or [""])[-1]
        return "right" if done.returncode == 0 and right(lines) else f"WRONG: {err}"

    return judge


def _containers(path: Path, work: Path) -> str:
    """Run the script: every container gives the classes 0 and 1; the last one, a column vector, is refused."""
    done = subprocess.run([sys.executable, str(path)], cwd=work, capture_output=True, text=True, timeout=SECONDS)
    classes = re.findall(r"\[('.*?')\]", done.stdout)
    if len(classes) < 5 or set(classes[:5]) - {"'0', '1'", "'0.0', '1.0'"}:
        return f"WRONG: classes {classes}"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    refused = re.match(r"headstart\.core\.errors\.(Data|Usage)Error: (.*dimension.*)", last)
    return "right" if done.returncode == 0 or refused else f"WRONG: {last}"


def _checkpoints(path: Path, work: Path) -> dict[str, str]:
    """Open each small checkpoint; token ids and states must equal those of transformers."""
    import torch
    from transformers import AutoModel, AutoTokenizer, logging

    from headstart.checkpoints import folder as checkpoints
    from headstart.nn.packed import pack

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    subprocess.run([sys.executable, str(path), str(work / "made")], check=True, capture_output=True)
    texts = ["The lamp broke again.", "never a Sofa, well money", "OFFICE kettle works"]
    answers = {}
    for model in sorted((work / "made").iterdir()):
        try:
            opened = checkpoints.load(model)
        except HeadstartError as error:
            answers[model.name] = f"WRONG: refused: {error}"
            continue
        try:
            reference = AutoTokenizer.from_pretrained(model)
            peer = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        except Exception as error:  # transformers cannot open it either: then it is enough that it opens
            answers[model.name] = f"right: transformers refuses it ({type(error).__name__})"
            continue
        ids = [reference(text)["input_ids"] for text in texts]
        encoded = opened.tokenizer.encode(texts)
        if encoded.tokens.tolist() != [number for row in ids for number in row]:
            answers[model.name] = "WRONG: token ids differ from AutoTokenizer's"
            continue
        encoder = getattr(opened.model, "encoder", opened.model).eval()
        with torch.no_grad():
            batch = pack(encoded.tokens, encoded.boundaries, torch.arange(len(texts)).numpy())
            own = encoder(batch)[batch.starts.long()]
            theirs = torch.stack([peer(torch.tensor([row])).last_hidden_state[0, 0] for row in ids])[batch.order]
        gap = float((own - theirs).abs().max())
        answers[model.name] = "right" if gap < 1e-3 else f"WRONG: states differ by {gap:.4f}"
    return answers


WALKS: dict[str, Callable[[Path, Path], dict[str, str] | str]] = {
    "all_equal.csv": _only_compared("texts|copies"),
    "checkpoints.py": _checkpoints,
    "ctrl_label.csv": _control_labels,
    "estimator_ok.py": _script(lambda printed: printed == "right"),
    "float_halves_test.csv": _halves,
    "frames.py": _script(lambda printed: "WRONG" not in printed and printed.count("\n") == 3),
    "in_memory_labels.py": _containers,
    "late_key.jsonl": _late_key,
    "lines.txt": _lines,
    "lines_commas.txt": _lines,
    "many_classes.csv": _only_compared(),
    "only_emoji.csv": _only_compared(),
    "stale_backbone.py": _script(lambda printed: ": 2 (" in printed, needs_checkpoint=True),
    "test_no_label.csv": _own_test("label", ""),
    "test_other_names.csv": _own_test("column", "review"),
    "tiny2.csv": _only_compared("rows|texts"),
    "tiny4.csv": _only_compared("rows|texts"),
    "train_body.csv": _body,
    "two_comparisons.py": _script(lambda printed: printed.endswith("right")),
    "two_positives.csv": _only_compared(finding=r"test rows \(\d+\) have the label 'ok'"),
    "typed_rows.jsonl": _typed,
}
