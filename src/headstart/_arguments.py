"""Options and arguments of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from click import Argument, FloatRange, IntRange, Option

from headstart.core.errors import UsageError, shown

# Of several commands.
SHARED = (
    Argument(
        ["data"],
        help="CSV, TSV, TXT, JSONL, Parquet, CoNLL, SQuAD's JSON, - (standard input) or hf://datasets/owner/name.",
    ),
    Option(["--task"], metavar="NAME", help="Task, see list. Default: guessed from the columns."),
    Option(["--test"], metavar="FILE", help="Your own test rows. Default: 20 % of DATA."),
    Option(["--validation"], metavar="FILE", help="Your own validation rows. Default: 10 % of DATA."),
    Option(["--text"], metavar="COL", help="Column with the text. Default: detected."),
    Option(["--label"], metavar="COL", help="Column with the label. Default: detected."),
    Option(
        ["--column"],
        multiple=True,
        metavar="ROLE=COL",
        help="Column of another role of the task, such as question=query; may be repeated. Default: detected.",
    ),
    Option(
        ["--columns", "features"],
        metavar="COL,COL",
        help="Columns to read beside the text, such as price,country: numbers and categories. "
        "(--column names the column of a role of the task itself.)",
    ),
    Option(["--group"], metavar="COL", help="Column with a person, product or document whose rows are never split."),
    Option(["--time"], metavar="COL", help="Column with a date: train on the past, test on the future."),
    Option(["--encoding"], metavar="NAME", help="Encoding of the files, such as gb18030. Default: detected."),
    Option(
        ["--backbone"],
        default="minilm",
        metavar="MODEL[,..]",
        help="Pretrained models: folders, packaged ones (see list), or hf://owner/name[@revision].",
    ),
    Option(
        ["--set", "options"],
        multiple=True,
        metavar="NAME.OPTION=VALUE",
        help="An option of a contender or strategy; may be repeated.",
    ),
    Option(["--out"], type=Path, metavar="FOLDER", help="Output folder. Default: runs/NAME."),
    Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON on standard output."),
    Option(["--device"], default="auto", metavar="NAME", help="auto, cpu or cuda."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of the split and the first training."),
    Option(["--threads"], type=IntRange(1), metavar="N", help="Number of CPU threads. Default: one per core."),
    Option(["--track"], metavar="NAME,NAME", help="Also log each training to tensorboard, wandb or mlflow."),
)
COMPARE = (
    Option(
        ["--by"], metavar="COL", help="Column of the test rows, such as a language: scores for each of its values too."
    ),
    Option(["--unlabelled"], metavar="FILE", help="More texts, without labels, for contenders that use them."),
    Option(
        ["--contenders"], metavar="A,B", help="Contenders to train, or all. Default: majority,linear,scratch,finetuned."
    ),
    Option(["--strategies"], metavar="X,Y", help="Fine-tuning strategies, or all. Default: frozen,partial,full."),
    Option(["--seeds"], type=IntRange(1), metavar="N", default=3, help="Number of trainings of each contender."),
    Option(
        ["--sizes"],
        metavar="N,..,all",
        help="Numbers of training rows of the learning curve, which shows how many labels pretraining is worth. "
        "Default: a tenth, a third and all of them, which takes about 50 % longer than --sizes all.",
    ),
    Option(["--budget"], type=float, metavar="MIN", help="Time limit of one training in minutes."),
    Option(["--metric"], metavar="M", help="accuracy (default), macro-F1, MCC, ..."),
)
DEMO = (
    Argument(
        ["name"],
        default="tweets",
        metavar="[tweets|news|hotel]",
        help="A data set from an installed package; hotel is Chinese. Default: tweets.",
    ),
)
PRETRAIN = (
    Argument(
        ["corpus"], type=Path, nargs=-1, required=True, help="TXT, CSV, TSV, JSONL (also compressed) or Parquet files."
    ),
    Option(["--out"], type=Path, required=True, metavar="FOLDER", help="Output folder of the model."),
    Option(
        ["--size"],
        default="mini",
        metavar="NAME",
        help="tiny (2 x 128), mini (4 x 256), small (4 x 512), base (12 x 768).",
    ),
    Option(
        ["--from", "start"],
        default="",
        show_default=False,
        metavar="MODEL",
        help="Continue from a BERT, with its size and vocabulary.",
    ),
    Option(["--vocabulary"], type=IntRange(32), metavar="N", default=10_000, help="Maximum size."),
    Option(["--byte-level"], is_flag=True, help="Use byte-level BPE instead of WordPiece."),
    Option(["--window"], type=IntRange(8), metavar="N", default=128, help="Maximum tokens per text."),
    Option(["--epochs"], type=IntRange(1), metavar="N", default=10, help="Passes over the text."),
    Option(
        ["--minutes"],
        type=FloatRange(0),
        metavar="MIN",
        default=0.0,
        show_default=False,
        help="Time limit; the number of passes is reduced to fit. 0: no limit.",
    ),
    Option(
        ["--next-sentence/--no-next-sentence"],
        default=None,
        help="Also predict if one passage follows another. Default: if texts have several sentences.",
    ),
    Option(["--whole-words"], is_flag=True, help="Mask all pieces of a word or none."),
    Option(["--batch-tokens"], type=IntRange(1), metavar="N", default=4096, help="Tokens per step."),
    Option(
        ["--learning-rate"],
        type=FloatRange(0),
        metavar="RATE",
        default=0.0,
        show_default=False,
        help="Peak learning rate. Default: depends on the size.",
    ),
    Option(["--work"], type=Path, metavar="FOLDER", help="Folder for tokens and checkpoints. Default: OUT.work."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of weights, order and masks."),
)
PREDICT = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Argument(["file"], type=Path, help="CSV, TSV, TXT, JSONL or Parquet with texts, or - (standard input)."),
    Option(
        ["--out"], type=Path, metavar="FILE", help="A .csv, .tsv, .jsonl or .parquet file. Default: standard output."
    ),
    Option(
        ["--int8"], is_flag=True, help="Use 8-bit weights, which is faster; only if compare found labels unchanged."
    ),
)


def names(listed: str | None) -> list[str] | None:
    """Parse a list such as 'linear, scratch'."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def assignments(listed: Sequence[str]) -> dict[str, str]:
    """Parse assignments such as 'scratch.layers=3'."""
    options = {}
    for assignment in listed:
        name, sign, value = assignment.partition("=")
        if not sign or "." not in name:
            raise UsageError(f"cannot parse --set {shown(assignment)}; write it as in --set scratch.layers=3.")
        options[name] = value
    return options


def roles(text: str | None, label: str | None, listed: Sequence[str]) -> dict[str, str]:
    """Parse assignments such as 'question=query' into role -> column, and add those of --text and --label."""
    named = {role: column for role, column in (("text", text), ("label", label)) if column is not None}
    for assignment in listed:
        role, sign, column = assignment.partition("=")
        if not (role and sign and column):
            raise UsageError(
                f"cannot parse --column {shown(assignment)}; write it as in --column question=query. Columns beside "
                "the text are named by --columns."
            )
        if named.setdefault(role, column) != column:
            raise UsageError(f"the {role} is read from {shown(named[role])} and from {shown(column)}; name one column.")
    return named
