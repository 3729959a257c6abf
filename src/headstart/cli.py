"""The command line: each command is one call of the API. Results go to standard output, all else to standard error."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys

import click

from headstart.commands import _output
from headstart.core.errors import HeadstartError
from headstart.core.terminal import guard_other_messages

# Modules of `headstart.commands`, in the order in which a person needs them. They import torch and scikit-learn inside
# their functions: both take seconds to load, and --help should not wait.
COMMANDS = (
    "compare",
    "demo",
    "pretrain",
    "check",
    "predict",
    "chat",
    "stress",
    "serve",
    "explain",
    "export",
    "update",
    "push",
    "list_",
)


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


app = _InOrder(
    "headstart",
    [vars(importlib.import_module(f"headstart.commands.{module}"))[module] for module in COMMANDS],
    help="Find out, on your own labelled text, which model to use and how many labels pretraining is worth.",
    epilog="Exit codes: 0 done, 1 failure, 2 wrong usage, 3 bad data, 130 interrupted (rerun to resume).",
    context_settings={"show_default": True},
)
click.version_option(package_name="headstart", message="%(package)s %(version)s")(app)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; any error becomes one sentence on standard error."""
    # Threads that spin while they wait slow each other down on shared cores. Must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows '?'
    guard_other_messages()
    try:
        with app.make_context("headstart", arguments or ["--help"]) as context:
            app.invoke(context)
        sys.stdout.flush()
    except HeadstartError as error:
        return _output.fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _output.fail(_output.usage_message(error), 2)
    except click.exceptions.Exit as error:
        return error.exit_code
    except KeyboardInterrupt:
        return _output.fail(
            "interrupted; rerun the same command to resume a comparison or a pretraining where it stopped.", 130
        )
    except BrokenPipeError:  # the reader closed the pipe
        _discard_output()
        return 1
    except MemoryError:
        return _output.fail("there is not enough memory for this: take fewer or shorter texts, or a larger machine.", 1)
    except OSError as error:
        # Whatever else is written names itself, so a full disk without a name is where standard output goes.
        printed = _discard_output() or error.errno == errno.ENOSPC
        place = f" '{error.filename}'" if error.filename else " (standard output)" if printed else ""
        return _output.fail(f"{error.strerror or error}{place}: fix this and rerun the same command.", 1)
    except BaseException as error:  # a panic in the Rust code of tokenizers is not an Exception
        return _output.fail(_output.unexpected_message(error), 1)
    return 0


def _discard_output() -> bool:
    """Send what standard output does not take nowhere, as Python writes it once more when it ends.

    Returns:
        whether there was any.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


if __name__ == "__main__":
    main()
