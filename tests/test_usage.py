"""Mistakes in a call are answered at once: nothing heavy is loaded to find them."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "scipy", "sklearn", "pydantic", "pandas", "matplotlib", "transformers", "wandb", "mlflow"}
# Loads the command line once and runs each list of arguments in a fork of its own, as if it had just been started.
CODE = f"""
import json, os, signal, sys, tempfile
from headstart import cli

for line in sys.stdin:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            signal.alarm(300)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = cli.run(json.loads(line))
            print("loaded:", *sorted({HEAVY} & set(sys.modules)), file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = [file.seek(0) or file.read().decode() for file in (out, err)]
    print(json.dumps([code, *said]), flush=True)
"""
COMPARE = ("compare", "{data}")


@pytest.fixture(scope="module")
def run():
    """Run the command line in a process of its own: exit code, standard output, standard error."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CODE], stdin=pipe, stdout=pipe, text=True) as forks:

        def answer(*arguments: str) -> tuple[int, str, str]:
            forks.stdin.write(json.dumps(arguments) + "\n")
            forks.stdin.flush()
            return tuple(json.loads(forks.stdout.readline()))

        yield answer


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    path.write_text("text,label\ngood,pos\nbad,neg\n")
    return str(path)


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("compare", "--help"), ()])
def test_help_and_the_list_load_nothing_heavy(run, arguments):
    code, out, err = run(*arguments)
    assert code == 0
    assert "finetuned" in out or "compare" in out
    assert err == "loaded:\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((*COMPARE, "--contenders", "linaer"), 2, "no contender 'linaer'; did you mean 'linear'?"),
        ((*COMPARE, "--contenders", "finetuned:lroa"), 2, "no strategy 'lroa'; did you mean 'lora'?"),
        ((*COMPARE, "--strategies", "fulll"), 2, "no strategy 'fulll'; did you mean 'full'?"),
        ((*COMPARE, "--track", "wanbd"), 2, "no tracker 'wanbd'; did you mean 'wandb'?"),
        ((*COMPARE, "--metric", "acuracy"), 2, "no metric 'acuracy'; did you mean 'accuracy'?"),
        ((*COMPARE, "--device", "tpu"), 2, "no device 'tpu'; did you mean 'cpu'?"),
        ((*COMPARE, "--backbone", "minilmm"), 2, "no model folder 'minilmm'; did you mean 'minilm'?"),
        ((*COMPARE, "--backbone", "hf://owner"), 2, "cannot read the address hf://owner: write hf://owner/name"),
        ((*COMPARE, "--set", "finetuned.pooling=x"), 2, "option 'pooling' of contender 'finetuned' cannot be 'x'"),
        ((*COMPARE, "--set", "finetuned.poling=mean"), 2, "has no option 'poling'; did you mean 'pooling'?"),
        ((*COMPARE, "--set", "scratch.layers=many"), 2, "option 'layers' of contender 'scratch' must be int"),
        ((*COMPARE, "--set", "full.reinitialise=-1"), 2, "option 'reinitialise' of strategy 'full' is -1"),
        (
            (*COMPARE, "--set", "lora.rank=4"),
            2,
            "is for a contender or strategy that is not in the comparison; known: finetuned, ",
        ),
        ((*COMPARE, "--strategies", "lora", "--set", "lora.targets=kye"), 2, "no matrix 'kye' for lora's targets"),
        ((*COMPARE, "--set", "scratch"), 2, "write it as in --set scratch.layers=3."),
        ((*COMPARE, "--column", "text"), 2, "cannot parse --column 'text'; write it as in --column question=query."),
        (
            (*COMPARE, "--text", "a", "--column", "text=b"),
            2,
            "the text is read from 'a' and from 'b'; name one column.",
        ),
        ((*COMPARE, "--column", "question=a"), 2, "the task reads no 'question' (--column question); its columns are"),
        (("check", "{data}", "--column", "question=a"), 2, "the task reads no 'question' (--column question)"),
        ((*COMPARE, "--sizes", "some"), 2, "size 'some' is not a number of training rows"),
        ((*COMPARE, "--unlabelled", "{data}"), 2, "unlabelled texts were given, but no contender reads them"),
        ((*COMPARE, "--test", "nowhere.csv"), 3, "no file nowhere.csv in"),
        ((*COMPARE, "--sedes", "3"), 2, "did you mean --seed, --seeds"),
        ((*COMPARE, "--seeds", "three"), 2, "Invalid value for '--seeds'"),
        (("compare", "nowhere.csv"), 3, "no file nowhere.csv in"),
        (("compare",), 2, "Missing argument 'DATA'"),
        (("comprae",), 2, "Did you mean 'compare'"),
        (("check", "nowhere.csv"), 3, "no file nowhere.csv in"),
        (("check", "{data}", "--backbone", "minilmm"), 2, "no model folder 'minilmm'"),
        (("predict", "nowhere", "{data}"), 1, "'nowhere' is not a model folder"),
        ((*COMPARE, "--task", "clasification"), 2, "no task 'clasification'; did you mean 'classification'?"),
        (("predict", "nowhere", "nowhere.csv"), 3, "no file nowhere.csv in"),
        (("demo", "twets"), 2, "no demonstration 'twets'; did you mean 'tweets'?"),
        (("pretrain", "{data}", "--out", "model", "--size", "tinny"), 2, "no size 'tinny'; did you mean 'tiny'?"),
        (("pretrain", "nowhere.txt", "--out", "model"), 3, "no file nowhere.txt in"),
        (("pretrain", "{data}", "--out", "model", "--from", "brt"), 2, "no model folder 'brt'"),
    ],
    ids=lambda value: "-".join(value[:1] + value[2:]) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_named_before_anything_heavy_is_loaded(run, data, arguments, code, message):
    returned, out, err = run(*(argument.format(data=data) for argument in arguments))
    assert (returned, out) == (code, "")
    assert message in err
    assert err.endswith("\nloaded:\n")
    assert err.count("\n") == 2
