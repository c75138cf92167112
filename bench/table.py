"""The report as Markdown: limits, a table a case, and how envkit stands against what was expected of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def document(report: dict[str, Any]) -> str:
    """All tables, with a heading each."""
    parts = [_limits(report["limits"], report["large"])]
    parts += [_downloads(title, rows) for title, rows in report["downloads"].items()]
    parts += [_starts(title, rows) for title, rows in report["starts"].items()]
    facts = {**report["machine"], **report["versions"]}
    parts.append(f"{', '.join(f'{name} {value}' for name, value in facts.items())}; {report['seconds'] / 60:.0f} min.")
    parts += [f"Left out: {name} ({reason})." for name, reason in report["left out"].items()]
    return "\n" + "\n\n".join(parts) + "\n"


def median(row: Row, key: str) -> float:
    return float(statistics.median(row[key]))


def _limits(limits: dict[str, float], size: int) -> str:
    gib = f"{size / 2**30:g} GiB" if size >= 2**30 else f"{size / 2**20:g} MiB"
    rows = [(name, f"{speed / 1e6:,.0f}", f"{size / speed:.2f} s") for name, speed in limits.items()]
    return "### What the limits are\n\n" + _table(["limit", "MB/s", f"{gib} takes"], rows)


def _downloads(title: str, rows: list[Row]) -> str:
    fastest = min(median(row, "wall") for row in rows)
    cells = [
        (
            _name(row),
            row["verifies"] or "-",
            str(row["connections"]),
            f"{median(row, 'wall'):.2f} s",
            f"{median(row, 'wall') / fastest:.2f}",
            f"{median(row, 'cpu'):.2f} s",
            f"{max(row['peak']) / 2**20:.0f} MiB",
        )
        for row in sorted(rows, key=lambda row: median(row, "wall"))
    ]
    header = ["", "verifies", "connections", "wall", "of the fastest", "CPU", "peak memory"]
    return f"### {_capital(title)}\n\n{_table(header, cells)}\n\n" + "\n".join(_standing(rows))


def _standing(rows: list[Row]) -> list[str]:
    """envkit against the fastest that verifies nothing and the fastest that does, with as many connections."""
    lines = []
    for ours in (row for row in rows if row["ours"]):
        for kind, verifying in (("that verifies nothing", False), ("other that verifies", True)):
            others = [row for row in rows if not row["ours"] and bool(row["verifies"]) is verifying]
            alike = [row for row in others if row["connections"] == ours["connections"]]
            if alike:
                best = min(alike, key=lambda row: median(row, "wall"))
                ratio = median(ours, "wall") / median(best, "wall")
                lines.append(f"- {ours['name']}: {ratio:.2f} times what the fastest {kind} takes ({best['name']})")
    return lines


def _starts(title: str, rows: list[Row]) -> str:
    bare = median(rows[0], "wall")
    cells = [(_name(row), f"{median(row, 'wall') * 1e3:.0f} ms", f"{median(row, 'wall') / bare:.1f}") for row in rows]
    return f"### {_capital(title)}\n\n" + _table(["", "wall", "of `python -c pass`"], cells)


def _name(row: Row) -> str:
    return f"**{row['name']}**" if row["ours"] else str(row["name"])


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    # Figures to the right, words to the left.
    ends = [":" if cell[:1].isdigit() else "-" for cell in rows[0]]
    rule = "|".join("-" * (width + 1) + end for width, end in zip(widths, ends, strict=True))
    lines = [_line(header, widths), f"|{rule}|"]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)) + " |"
