"""headstart predict."""

from __future__ import annotations

from pathlib import Path

from click import Argument, Option

from headstart.commands import _output
from headstart.commands._options import command, roles, use_threads

OPTIONS = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Argument(["file"], type=Path, help="CSV, TSV, TXT, JSONL or Parquet with texts, or - (standard input)."),
    Option(
        ["--out"], type=Path, metavar="FILE", help="A .csv, .tsv, .jsonl or .parquet file. Default: standard output."
    ),
    Option(
        ["--int8"], is_flag=True, help="Use 8-bit weights, which is faster; only if compare found labels unchanged."
    ),
    Option(
        ["--abstain"],
        metavar="RULE",
        help="coverage=0.9: answer about nine rows in ten, the most certain; confidence=0.8: those of at least this "
        "confidence. The others get their confidence and no label.",
    ),
)


@command(*OPTIONS)
def predict(
    model: str,
    file: Path,
    out: Path | None,
    text: str | None,
    column: tuple[str, ...],
    encoding: str | None,
    int8: bool,
    abstain: str | None,
    threads: int | None,
) -> None:
    """Add a prediction, and the probability of each class or of the whole prediction, to the rows of a file.

    Files of any size are processed in constant memory. A row without text is copied and gets none. A row that
    cannot be read (too long, too short, wrong encoding) is left out and reported on standard error.
    """
    use_threads(threads)
    columns = roles(text, None, column)
    from headstart import usage

    usage.check_predict(model, file, columns, abstain)
    from headstart import prediction

    prediction.predict_file(
        model,
        file,
        out,
        columns=columns,
        encoding=encoding,
        int8=int8,
        abstain=abstain,
        report=_output.row_printer(file),
    )
