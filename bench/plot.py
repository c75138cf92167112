"""The report of bench/models.py, from standard input or its --json file, as small bar charts: plot.py FILE.png."""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

OURS, VERIFIES, PLAIN = "#d1495b", "#5b8fb9", "#c3ccd6"
DOWNLOADS = (("wall", "wall time, s", 1.0), ("cpu", "CPU, s", 1.0), ("peak", "peak memory, MiB", 2.0**20))
STARTS = (("wall", "wall time, ms", 1e-3), ("cpu", "CPU, ms", 1e-3))
BAR = 0.27  # inches a bar


def main() -> None:
    report = json.load(sys.stdin)
    cases = [(title, sorted(rows, key=lambda row: statistics.median(row["wall"]))) for title, rows in _cases(report)]
    heights = [len(rows) + 2.2 for _, rows in cases]
    figure, grid = plt.subplots(
        len(cases), 3, figsize=(13, sum(heights) * BAR + 1), layout="constrained", height_ratios=heights, squeeze=False
    )
    for (title, rows), axes in zip(cases, grid, strict=True):
        measures = STARTS if title in report["starts"] else DOWNLOADS
        for (key, label, unit), axis in zip(measures, axes, strict=False):
            _bars(axis, rows, [statistics.median(row[key]) / unit for row in rows], label)
        for axis in axes[1:]:
            axis.set_yticklabels([])
        for axis in axes[len(measures) :]:
            axis.axis("off")
        axes[0].set_title(title, loc="left", fontweight="bold", fontsize=11)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in (OURS, VERIFIES, PLAIN)]
    names = ["envkit: verifies md5 and sha256", "verifies md5", "verifies nothing (in brackets: connections)"]
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(sys.argv[1], dpi=110)


def _cases(report: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [*report["downloads"].items(), *report["starts"].items()]


def _bars(axis: Any, rows: list[dict[str, Any]], values: list[float], label: str) -> None:
    colors = [OURS if row["ours"] else VERIFIES if row["verifies"] else PLAIN for row in rows]
    bars = axis.barh(range(len(rows)), values, color=colors, height=0.75)
    axis.bar_label(bars, labels=[_figure(value) for value in values], padding=3)
    axis.set_yticks(range(len(rows)), [_label(row) for row in rows])
    for tick, row in zip(axis.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row["ours"] else "normal")
    axis.invert_yaxis()
    axis.set_xlim(0, max(values) * 1.18)
    axis.set_xlabel(label, fontsize=9)
    axis.xaxis.set_major_locator(plt.MaxNLocator(4))
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right"]].set_visible(False)


def _figure(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']}  ({row['connections']})" if row["connections"] else str(row["name"])


if __name__ == "__main__":
    main()
