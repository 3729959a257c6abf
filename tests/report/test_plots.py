from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from headstart.core.results import Equivalent, Interval, Result
from headstart.metrics.labels import METRICS
from headstart.report import plots

ACCURACY = METRICS[0]
ARROW = Equivalent("scratch", "finetuned:full", 100, 0.611, Interval(2070.0, 1480.0, 2240.0), 2240)


def figures(result: Result) -> dict[str, str]:
    order = [s.contender for s in result.standings]
    bins = result.reliability["linear"]
    return {
        "curves": plots.learning_curves(result.curve, order, ACCURACY, ARROW),
        "curves-narrow": plots.learning_curves(result.curve, order, ACCURACY, ARROW, narrow=True),
        "latency": plots.against(result.standings, "latency", "time", lambda s: s.cost.latency_p50, ACCURACY),
        "training": plots.against(result.standings, "training", "time", lambda s: s.cost.train_seconds, ACCURACY),
        "reliability2": plots.reliability("linear", 2, bins, bins[:3]),
        "coverage": plots.coverage({"linear": (np.array([0.01, 0.5, 1.0]), np.array([1.0, 0.9, 0.8]))}, order),
    }


@pytest.fixture(scope="module")
def drawn(result: Result) -> dict[str, str]:
    return figures(result)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("text")]


def test_figures_are_well_formed_and_named_for_a_screen_reader(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.findtext("title")
        assert (root.get("viewBox") or "").startswith("0 0 ")
        assert root.get("width") is None


def test_figures_load_nothing_and_are_the_same_each_time(drawn: dict[str, str], result: Result) -> None:
    assert figures(result) == drawn
    for svg in drawn.values():
        assert "http" not in svg
        assert "<metadata" not in svg


def test_ids_begin_with_the_figures_name_and_references_meet_them(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        ids = re.findall(r' id="([^"]*)"', svg)
        assert ids
        assert all(each.startswith(f"{name}-") for each in ids)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)[0]) - {""} <= set(ids)


def test_all_colours_come_from_the_page(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        assert not re.search(r"#0[12]0[12][0-9a-f]{2}", svg)
        without_fallbacks = re.sub(r"var\(--[a-z0-9-]+, #[0-9a-f]+\)", "", svg)
        assert not re.search(r"(?:fill|stroke): #", without_fallbacks)
        assert "currentColor" in svg


def test_text_stays_text_in_the_pages_font(drawn: dict[str, str], result: Result) -> None:
    assert "font-family" not in "".join(drawn.values())
    for name in ("curves", "curves-narrow", "latency", "training"):
        for standing in result.standings:
            assert standing.contender in texts(drawn[name])


def test_the_axis_of_rows_names_the_sizes_that_were_run(drawn: dict[str, str]) -> None:
    assert {"100", "316", "1,000", "2,240"} <= set(texts(drawn["curves"]))


def test_the_label_equivalent_is_drawn_when_it_is_known(drawn: dict[str, str], result: Result) -> None:
    words = "worth about 2,100 rows of scratch"
    assert words in texts(drawn["curves"])
    assert words.removesuffix(" of scratch") in texts(drawn["curves-narrow"])
    order = [s.contender for s in result.standings]
    assert words not in texts(plots.learning_curves(result.curve, order, ACCURACY))


def test_names_at_the_lines_ends_do_not_cover_each_other(drawn: dict[str, str], result: Result) -> None:
    names = {s.contender for s in result.standings}
    heights = sorted(
        float(node.get("y") or 0)
        for node in ElementTree.fromstring(drawn["curves"]).iter("text")
        if "".join(node.itertext()) in names
    )
    assert len(heights) == len(names)
    assert all(b - a > 10 for a, b in itertools.pairwise(heights))


def test_drawing_leaves_matplotlibs_global_state_alone(result: Result) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures(result)
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_more_contenders_than_colours_still_draw(result: Result) -> None:
    many = tuple(dataclasses.replace(result.standings[0], contender=f"c{i}") for i in range(12))
    svg = plots.against(many, "latency", "time", lambda s: s.cost.latency_p50, ACCURACY)
    assert {f"c{i}" for i in range(12)} <= set(texts(svg))


@pytest.mark.parametrize("apart", [0.6, 0.1])
def test_names_of_lines_that_end_close_together_stay_inside_the_axes(result: Result, apart: float) -> None:
    many = [
        dataclasses.replace(point, contender=f"c{number}", score=score, low=score, high=score)
        for number, score in enumerate([apart, *[0.5] * 13])
        for point in result.curve
        if point.contender == "scratch"
    ]
    order = [f"c{number}" for number in range(14)]
    root = ElementTree.fromstring(plots.learning_curves(many, order, ACCURACY))
    heights = {"".join(node.itertext()): float(node.attrib["y"]) for node in root.iter("text") if "y" in node.attrib}
    named, ticks = (
        sorted(height for text, height in heights.items() if text in order),
        sorted(height for text, height in heights.items() if text.endswith("%")),
    )
    assert named[-1] < heights["training rows"] - 12
    assert named[0] > ticks[0] - 24
    assert all(below - above > 11 for above, below in itertools.pairwise(named))
