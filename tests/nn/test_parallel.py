import threading

import pytest
import torch

from headstart.nn import parallel


@pytest.fixture
def two_threads(set_threads):
    set_threads(2)


def test_results_come_in_order_from_threads_that_compute_alone(two_threads):
    both = threading.Barrier(2, timeout=20)  # passed only where two batches are in work at once

    def work(number):
        if number < 2:
            both.wait()
        return number, torch.get_num_threads(), threading.current_thread().name

    results = list(parallel.each(work, range(20), "cpu"))
    assert [number for number, _, _ in results] == list(range(20))
    assert {threads for _, threads, _ in results} == {1}
    assert all(name.startswith("headstart") for _, _, name in results)
    assert torch.get_num_threads() == 2
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


@pytest.mark.parametrize(("threads", "batches", "device"), [(1, 9, "cpu"), (2, 3, "cpu"), (2, 9, "cuda")])
def test_where_nothing_is_gained_the_caller_does_all(two_threads, threads, batches, device):
    torch.set_num_threads(threads)
    here = threading.current_thread()
    assert list(parallel.each(lambda _: threading.current_thread(), range(batches), device)) == [here] * batches


def test_it_begins_no_more_than_is_soon_asked_for(two_threads):
    begun = []
    results = parallel.each(begun.append, range(100), "cpu")
    next(results)
    assert len(begun) <= 1 + 2 * parallel.AHEAD
    results.close()
    assert len(begun) <= 1 + 2 * parallel.AHEAD


def test_an_error_ends_it(two_threads):
    begun = []

    def work(number):
        begun.append(number)
        raise ValueError(f"batch {number}")

    with pytest.raises(ValueError, match="batch 0"):
        list(parallel.each(work, range(100), "cpu"))
    assert len(begun) <= 1 + 2 * parallel.AHEAD
    assert torch.get_num_threads() == 2
