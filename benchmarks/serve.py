"""How fast and robust is `headstart serve`? Beside a plain FastAPI server with transformers' pipeline, same weights.

MiniLM with a head predicts one sentence (SST-2's test rows) per request. Clients keep their connections and send the
next request once the last one is answered; the load generator is a process of its own on the same two cores, and its
share of them is in the record. Ours and the plain server take turns, and only one of them runs at a time.

Then, ours alone: ten times the requests that it can answer; broken requests, FUZZED of them or as many as fit into
FUZZ_SECONDS; clients that send headers or bodies slowly; SIGTERM under load, twenty times; and a mixed load for MINUTES
with its memory and descriptors.

PARTS in the environment names parts to run, by commas; their results replace those in the record. On two idle cores
throughput takes three minutes, overload and fuzz a minute each, slow and endings three, and mixed MINUTES.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import _abuse
from benchmarks._common import RECORDS, ROOT, data, record, show, table, versions
from benchmarks.prediction import load, sample

ROUNDS = int(os.environ.get("ROUNDS", 3))
SECONDS = float(os.environ.get("SECONDS", 4))
CLIENTS = (1, 8, 64)
TEXTS = 500
TRAINED = 300
TIMES = 10  # the load beyond what the server can answer
FUZZED = int(os.environ.get("FUZZED", 100_000))
FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", 60))
SLOW = 40  # clients of each kind
ENDINGS = 20
MINUTES = float(os.environ.get("MINUTES", 10))
LEAST_SAMPLES = 4  # of memory, to compare the second and the last third
OURS, PLAIN = "headstart serve", "FastAPI + pipeline"
GOALS = {
    "times at 64 clients": 3.0,
    "share of peak when overloaded": 0.9,
    "ms until refused": 50.0,
    "s until cut": 10.0,
}


def main() -> None:
    """Measure all parts and write the record."""
    parts = {
        "throughput": throughput,
        "overload": overload,
        "fuzz": fuzz,
        "slow": slow,
        "endings": endings,
        "mixed": mixed,
    }
    chosen = os.environ.get("PARTS", ",".join(parts)).split(",")
    path = RECORDS / "serve.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results = {name: known[name] for name in parts if name in known}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.environ.get("MODEL", Path(place) / "model"))
        if not folder.is_dir():
            prepare(folder)
        texts = Path(place) / "texts.json"
        texts.write_text(json.dumps(sample("sst2_test", TEXTS)), encoding="utf-8")
        for name in chosen:
            results[name] = {**parts[name](folder, str(texts)), "load": load()}
            peers = versions("fastapi", "uvicorn", "h11", "transformers")
            record("serve", {"peers": peers, "goals": GOALS, **results})
            print(name, json.dumps(results[name]))
    if "throughput" in results:
        show("serve", shown(results["throughput"]))


def prepare(model: Path) -> None:
    """Train the top of MiniLM for a moment, and save it."""
    from headstart.core import rooms
    from headstart.core.records import Rows, Run

    texts, labels = data("sst2_train")
    places = np.random.default_rng(0).permutation(len(texts))[:TRAINED].tolist()
    rows = Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(labels)).take(places)
    task = rooms.load("tasks", "classification").fitted(rows)
    contender = rooms.load("contenders", "finetuned", {"strategy": "partial", "epochs": 1})
    contender.fit(rows, rows, task, Run(0, model.with_name("run"))).save(model)


@contextmanager
def running(side: str, model: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server in a process of its own; yields it and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = [sys.executable, "-m", "benchmarks._plain_server", str(model), str(port)]
    ours = [sys.executable, "-m", "headstart.cli", "serve", str(model), "--port", str(port), *options]
    # As many threads as each chooses itself.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    server = subprocess.Popen(ours if side == OURS else plain, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        yield server, port
    finally:
        server.terminate()
        server.wait(60)


def wait_until_ready(port: int) -> None:
    """Wait for a server, which may take a minute to load its model."""
    for _ in range(1200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not start.")


def generate(port: int, texts: str, **plan: float) -> dict[str, Any]:
    """Run the load generator in a process of its own."""
    given = json.dumps({"port": port, "texts": texts, **plan})
    done = subprocess.run([sys.executable, "-m", "benchmarks._load", given], cwd=ROOT, capture_output=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def throughput(model: Path, texts: str) -> dict[str, Any]:
    """Measure both servers at each number of clients, in turns."""
    rounds: dict[str, list[dict[str, Any]]] = {OURS: [], PLAIN: []}
    for _ in range(ROUNDS):
        for side, results in rounds.items():
            with running(side, model) as (server, port):
                results.append({str(count): measured(server.pid, port, texts, count) for count in CLIENTS})
    medians = {
        side: {
            str(clients): {
                "per_second": statistics.median(one[str(clients)]["per_second"] for one in results),
                "p50": statistics.median(one[str(clients)]["answers"]["200"]["p50"] for one in results),
                "p99": statistics.median(one[str(clients)]["answers"]["200"]["p99"] for one in results),
                "cpu_ms": round(statistics.median(one[str(clients)]["cpu_ms"] for one in results), 2),
            }
            for clients in CLIENTS
        }
        for side, results in rounds.items()
    }
    return {"seconds": SECONDS, "medians": medians, "rounds": rounds}


def measured(server: int, port: int, texts: str, clients: int) -> dict[str, Any]:
    """Measure a server, also the processor time that an answer takes it, on which other processes have less effect."""
    process = psutil.Process(server)
    generate(port, texts, clients=clients, seconds=1.0)
    before = process.cpu_times()
    result = generate(port, texts, clients=clients, seconds=SECONDS, warm_up=0.0)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return {**result, "cpu_ms": round(1000 * used / max(1, result["answers"]["200"]["count"]), 2)}


def shown(result: dict[str, Any]) -> str:
    """Format the throughput as a table."""
    ours, plain = (result["medians"][side] for side in (OURS, PLAIN))
    lines = [
        [
            str(clients),
            *(f"{side[str(clients)]['per_second']:.0f}" for side in (ours, plain)),
            f"{ours[str(clients)]['per_second'] / plain[str(clients)]['per_second']:.1f}",
            *(f"{side[str(clients)]['p50']:.0f}" for side in (ours, plain)),
            *(f"{side[str(clients)]['cpu_ms']:.1f}" for side in (ours, plain)),
        ]
        for clients in CLIENTS
    ]
    sides = ("ours", "pipeline")
    header = ["clients", *(f"{side}, texts a second" for side in sides), "times"]
    header += [f"{side}, {what}" for what in ("median ms", "processor ms a text") for side in sides]
    return table(header, lines)


def overload(model: Path, texts: str) -> dict[str, Any]:
    """Measure the peak, and what remains of it at ten times as many requests."""
    rounds = []
    with running(OURS, model) as (_, port):
        for _ in range(ROUNDS):
            peak = generate(port, texts, clients=64, seconds=SECONDS)
            rate = TIMES * peak["per_second"]
            beyond = generate(port, texts, rate=rate, seconds=SECONDS, warm_up=2.0)
            share = beyond["per_second"] / peak["per_second"]
            rounds.append({"peak": peak, "rate": round(rate), "beyond": beyond, "share": round(share, 3)})
    return {"share": statistics.median(one["share"] for one in rounds), "rounds": rounds}


def fuzz(model: Path, texts: str) -> dict[str, Any]:
    """Send broken requests; count the statuses."""
    with running(OURS, model) as (_, port):
        return _abuse.fuzz(port, FUZZED, FUZZ_SECONDS)


def slow(model: Path, texts: str) -> dict[str, Any]:
    """Send headers and bodies byte by byte, beside a client that is not slow."""
    with running(OURS, model) as (_, port):
        alone = generate(port, texts, clients=1, seconds=SECONDS)
        return {"alone": alone, **_abuse.slow(port, SLOW, lambda: generate(port, texts, clients=1, seconds=SECONDS))}


def endings(model: Path, texts: str) -> dict[str, Any]:
    """End the server under load, again and again; count requests that were sent and not answered."""
    chance = random.Random(0)
    lost, answered, seconds = [], [], []
    for _ in range(ENDINGS):
        with running(OURS, model) as (server, port):
            given = json.dumps({"port": port, "texts": texts, "clients": 32, "seconds": 30.0, "warm_up": 0.0})
            command = [sys.executable, "-m", "benchmarks._load", given]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as clients:
                time.sleep(2 + chance.random())
                server.send_signal(signal.SIGTERM)
                began = time.perf_counter()
                code = server.wait(60)
                seconds.append(round(time.perf_counter() - began, 2))
                result = json.loads(clients.communicate()[0])
            lost.append(result["lost"])
            answered.append(result["answers"]["200"]["count"])
            if code or set(result["answers"]) != {"200"}:
                sys.exit(f"the server ended with {code}, and answered {result['answers']}.")
    return {"times": ENDINGS, "clients": 32, "lost": lost, "answered": answered, "seconds": seconds}


def mixed(model: Path, texts: str) -> dict[str, Any]:
    """Send good, large, broken and abandoned requests for MINUTES, and watch memory and descriptors."""
    samples = []
    with running(OURS, model) as (server, port):
        process = psutil.Process(server.pid)
        end = time.monotonic() + 60 * MINUTES
        statuses: dict[str, int] = {}
        seed = 0
        while time.monotonic() < end or len(samples) < LEAST_SAMPLES:
            seed += 1
            for status, count in _abuse.mixed(port, json.loads(Path(texts).read_text(encoding="utf-8")), seed).items():
                statuses[status] = statuses.get(status, 0) + count
            samples.append({"mb": round(process.memory_info().rss / 1e6, 1), "descriptors": process.num_fds()})
    later = samples[len(samples) // 3 :]
    middle = len(later) // 2
    means = [statistics.mean(each["mb"] for each in part) for part in (later[:middle], later[middle:])]
    return {
        "minutes": MINUTES,
        "statuses": dict(sorted(statuses.items())),
        "mb": {"first": samples[0]["mb"], "second_third": round(means[0], 1), "last_third": round(means[1], 1)},
        "descriptors": {"first": samples[0]["descriptors"], "last": samples[-1]["descriptors"]},
        "samples": samples[:: max(1, len(samples) // 60)],
    }
