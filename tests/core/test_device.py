import json

import pytest
import torch

from headstart.core import device, seed
from headstart.core.errors import HeadstartError, UsageError


def test_auto_takes_what_is_there():
    assert device.choose() == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device.choose("cpu") == "cpu"


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="no device 'tpu'; did you mean 'cpu'"):
        device.choose("tpu")


def test_what_changes_results_is_recorded():
    facts = device.describe()
    assert facts["threads"] == torch.get_num_threads()
    assert torch.__version__.startswith(facts["packages"]["torch"])  # a wheel of PyPI has a local version inside alone
    json.dumps(facts)


def test_streams_of_a_seed_are_independent_of_each_other():
    drawn = {seed.generator(s, name).integers(2**60) for s in range(4) for name in ("order", "weights", "subset")}
    assert len(drawn) == 12
    assert seed.derive(7, "a", 1) == seed.derive(7, "a", 1)
    assert seed.derive(7, "a", 1) != seed.derive(7, "a/1x")


def test_exit_codes_are_those_of_the_command_line():
    from headstart.core import errors

    assert HeadstartError.exit_code == 1
    assert errors.UsageError.exit_code == 2
    assert errors.DataError.exit_code == 3


def test_a_known_device_that_this_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="device 'cuda' is not on this machine; use 'auto' or 'cpu'"):
        device.choose("cuda")
