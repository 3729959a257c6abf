"""Predict with an exported folder in a process that cannot load torch or Headstart; run by `export.certificate`.

Arguments: the folder, a file with inputs as JSON Lines, a file to write predictions to, the number of single texts
whose time is measured. The last line of output is the median and the 95th percentile of their milliseconds, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

CHUNK = 1000
FORBIDDEN = ("headstart", "scipy", "sklearn", "torch", "transformers")


def main(folder: str, inputs: str, out: str, calls: str) -> None:
    """Predict all inputs, and measure some of them one by one."""
    sys.modules.update(dict.fromkeys(FORBIDDEN))  # type: ignore[arg-type]  # None makes an import fail
    sys.path.insert(0, folder)
    run: Any = importlib.import_module("run")
    import numpy as np

    values = [json.loads(line) for line in Path(inputs).read_text("utf-8").splitlines()]
    with open(out, "w", encoding="utf-8") as file:
        for start in range(0, len(values), CHUNK):
            file.writelines(json.dumps(each) + "\n" for each in run.predict(values[start : start + CHUNK]))
    taken = []
    for place in np.linspace(0, len(values) - 1, int(calls) + 3).astype(int) if values else ():
        before = time.perf_counter()
        run.predict([values[place]])
        taken.append(1000 * (time.perf_counter() - before))
    print(json.dumps([float(np.percentile(taken[3:], share)) for share in (50, 95)] if taken else [0.0, 0.0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
