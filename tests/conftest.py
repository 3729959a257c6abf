"""Fixtures for all tests: one seeded generator, one thread, no network."""

import functools
import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
import torch
from hypothesis import settings

from headstart import explaining
from headstart.contest import meter
from headstart.core import device

torch.set_num_threads(1)
# A busy machine is no fault of a test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="module", autouse=True)
def what_is_loaded_is_kept():
    """Take what is loaded by now out of garbage collection, of which every measured training asks for two full ones."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def few_measurements():
    """Measure the machine's pace, which takes a second, for the first pretraining alone; time a model by few calls, and
    explain it by few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "matrix_rate", functools.cache(device.matrix_rate))
        patch.setattr(meter, "LATENCY_CALLS", 5)
        patch.setattr(explaining, "MOST_MEASURED", 12)
        yield


@pytest.fixture
def set_threads():
    """Let torch have more threads in one test."""
    yield torch.set_num_threads
    torch.set_num_threads(1)


@pytest.fixture
def checkpoint_after(monkeypatch):
    """Let trainings write a checkpoint after one step, and at their end, but not by the clock; list these steps."""
    from headstart.training import loop, resume

    write = resume.save

    def choose(step: int) -> list[int]:
        written = []

        def save(folder, state, *rest):
            if state.finished or state.step == step:
                write(folder, state, *rest)
                written.append(state.step)

        monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)
        monkeypatch.setattr(resume, "save", save)
        return written

    return choose


@pytest.fixture(scope="session")
def equal_figures_drawn_once():
    """Let pages share figures of the same numbers, whose drawing is most of a page's time.

    What `headstart.report.plots` itself draws is not shared, so that its own tests see each figure drawn.
    """
    from headstart.report import _view, plots
    from headstart.report.kinds import label

    figures: dict[tuple, str] = {}

    def once(draw, *given, **options):
        # The cost that a figure is over is given as a function of standings.
        values = [[*map(value, given[0])] if callable(value) else value for value in given]
        key = plots.svg, draw, repr((values, options))
        if key not in figures:
            figures[key] = draw(*given, **options)
        return figures[key]

    class Plots:
        learning_curves = staticmethod(functools.partial(once, plots.learning_curves))
        against = staticmethod(functools.partial(once, plots.against))
        reliability = staticmethod(functools.partial(once, plots.reliability))
        coverage = staticmethod(functools.partial(once, plots.coverage))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_view, "plots", Plots)
        patch.setattr(label, "plots", Plots)
        yield


@pytest.fixture
def trained_once(monkeypatch):
    """Let no training count as collapsed, as most tiny ones would, so that none is repeated."""
    from headstart.training import collapse

    monkeypatch.setattr(collapse, "judged", lambda *given, **rest: "")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> str:
    """The folder of a random encoder of BERT's kind, 16 wide."""
    from headstart.checkpoints import folder
    from headstart.nn.encoder import Encoder
    from headstart.tasks.classification import Classification
    from headstart.text import vocabulary

    place = tmp_path_factory.mktemp("backbone")
    tokenizer = vocabulary.train([text for text, _ in Classification.SAMPLE], 120, window=16)
    arguments = {
        "vocabulary": tokenizer.size,
        "width": 16,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
        "window": 16,
        "dropout": 0.0,
    }
    torch.manual_seed(0)
    folder.save(place, Encoder(**arguments), tokenizer, "bert", arguments, None)
    return str(place)


@pytest.fixture
def pickles_converted_here(monkeypatch):
    """Let this process convert pickled weights, which saves the seconds that another takes to load torch."""
    from headstart.checkpoints import _pickles, _unpickle

    def convert(files, folder):
        for number, file in enumerate(files):
            _unpickle.convert(file, folder / f"model-{number:05}.safetensors")

    monkeypatch.setattr(_pickles, "_convert", convert)


@pytest.fixture(scope="session")
def decoder_backbone(tmp_path_factory) -> str:
    """The folder of a random decoder of Llama's kind, 16 wide, whose heads of queries share those of keys."""
    from headstart.checkpoints import generating
    from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
    from headstart.nn.encoder import initialise
    from headstart.nn.generate import Search
    from headstart.tasks.generation import Generation
    from headstart.text import vocabulary

    place = tmp_path_factory.mktemp("decoder")
    texts = [text for turns, (answer,) in Generation.SAMPLE for text in (*Generation().texts(turns), answer)]
    tokenizer = vocabulary.train_bytes(texts, 280, window=64)
    sizes = {"width": 16, "layers": 2, "heads": 4, "key_heads": 2, "size": 4, "feed_forward": 24}
    arguments = {**sizes, "vocabulary": tokenizer.size, "window": 64, "activation": "silu", "epsilon": 1e-6}
    arguments |= {"tied": True, "theta": 1e4}
    torch.manual_seed(0)
    model = find_generators("llama", "").build(arguments)
    initialise(model, 0.2)
    generating.save(place, GeneratorCheckpoint(model, tokenizer, "llama", arguments, Search((3,), 64)))
    return str(place)
