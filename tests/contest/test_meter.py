import sys
import time

import numpy as np
import pytest

from headstart.contest import meter

CALLS = meter.LATENCY_CALLS  # which the fixtures of all tests lower


def test_seconds_and_the_peak_of_memory_that_is_freed_again():
    with meter.measured() as reading:
        block = np.ones(12_000_000)  # 96 MB
        time.sleep(0.15)
        del block
    assert 0.15 <= reading.seconds < 5
    assert 80e6 < reading.peak_bytes < 300e6


@pytest.mark.skipif(sys.platform != "linux", reason="only there memory is given back when asked")
def test_memory_that_was_used_before_counts_again():
    peaks, last = [], []
    for _ in range(2):
        with meter.measured() as reading:
            blocks = [bytearray(50_000) for _ in range(1000)]  # 50 MB in pieces that the C library keeps when freed
            last.append(bytearray(50_000))  # and which stays above them
            del blocks
        peaks.append(reading.peak_bytes)
    assert min(peaks) > 40e6


def test_the_reading_stands_although_the_block_fails():
    def fail():
        with meter.measured() as reading:
            readings.append(reading)
            raise RuntimeError("no")

    readings = []
    with pytest.raises(RuntimeError, match="no"):
        fail()
    assert readings[0].seconds > 0


class Slow:
    """Takes 2 ms a call, and 40 ms for every tenth."""

    calls = 0

    def predict(self, inputs):
        assert len(inputs) == 1
        self.calls += 1
        time.sleep(0.04 if self.calls % 10 == 0 else 0.002)


@pytest.fixture
def all_calls(monkeypatch):
    """Time by as many calls as a comparison does."""
    monkeypatch.setattr(meter, "LATENCY_CALLS", CALLS)


def test_latency_is_of_single_texts_in_milliseconds(all_calls):
    p50, p95 = meter.latency(Slow(), ["a", "b", "c"])
    assert 2 <= p50 < 20
    assert p95 >= 35


def test_latency_of_a_slow_model_ends_soon(monkeypatch, all_calls):
    monkeypatch.setattr(meter, "LATENCY_SECONDS", 0.05)
    model = Slow()
    meter.latency(model, ["a"])
    assert model.calls < 60


def test_folder_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "sub" / "b").write_bytes(b"45")
    assert meter.folder_bytes(tmp_path) == 5
