"""headstart serve."""

from __future__ import annotations

from pathlib import Path

from click import Argument, IntRange, Option

from headstart.commands._options import command, use_threads

OPTIONS = (
    Argument(["model"], type=Path, help="A model folder, such as runs/NAME/best."),
    Option(
        ["--host"],
        default="127.0.0.1",
        metavar="HOST",
        help="Address to listen at; others than this machine's own need a token.",
    ),
    Option(["--port"], default=8000, type=IntRange(0, 65535), metavar="N", help="Port to listen at; 0 for any."),
    Option(["--token-file"], type=Path, metavar="FILE", help="File with a token that every request must send."),
    Option(["--max-body"], default=2, type=IntRange(1, 1000), metavar="MB", help="Largest body of a request in MB."),
    Option(["--max-inputs"], default=32, type=IntRange(1), metavar="N", help="Most inputs of a request."),
    Option(["--queue"], default=256, type=IntRange(1), metavar="N", help="Most inputs that wait for the model."),
    Option(
        ["--int8"], is_flag=True, help="Use 8-bit weights, which is faster; only if compare found labels unchanged."
    ),
    Option(
        ["--abstain"],
        metavar="RULE",
        help="coverage=0.9 or confidence=0.8: predict nothing where the model is less sure, see predict.",
    ),
)


@command(*OPTIONS)
def serve(
    model: Path,
    host: str,
    port: int,
    token_file: Path | None,
    max_body: int,
    max_inputs: int,
    queue: int,
    int8: bool,
    abstain: str | None,
    threads: int | None,
) -> None:
    """Answer requests over HTTP with a saved model: POST /predict, KServe V2, metrics, and a page to try it.

    Requests that arrive while the model is busy are predicted together. Only this machine can reach the server unless
    a token is set.
    """
    use_threads(threads)
    from headstart.serve import options
    from headstart.serve.limits import Limits

    limits = Limits(body_bytes=max_body * 1_000_000, inputs=max_inputs, queue=queue)
    token = options.check(model, host, token_file, limits, abstain)
    from headstart import prediction
    from headstart.serve import run

    threshold = None if abstain is None else prediction.abstention(model, abstain)
    run.serve(prediction.open_model(model, int8=int8), model, host, port, token, limits, threshold)
