"""`envkit models sync` beside its peers, from one server on loopback, in one run: tables (Markdown) and a plot.

Machines are shared and noisy: compare figures of one run with each other, not with another day's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench import peers as known  # noqa: E402 - the checkout's own, wherever this is run from
from bench.limits import limits  # noqa: E402
from bench.measure import Measurement, measure  # noqa: E402
from bench.peers import Job, Peer, Tools  # noqa: E402
from bench.server import Server, serving  # noqa: E402
from bench.sources import Sources  # noqa: E402
from bench.table import Row, document  # noqa: E402
from bench.tools import machine, missing_programs, tools, versions  # noqa: E402

MIB = 1 << 20
MB = 1_000_000


@dataclass(frozen=True)
class Case:
    """A set of files and who brings it; ``paced`` over the slowed-down line."""

    title: str
    sources: Sources
    peers: list[Peer]
    paced: bool = False


def main() -> None:
    arguments = _arguments()
    if packages := missing_programs():
        raise SystemExit(f"needed here: {' '.join(packages)}\n  sudo apt-get install {' '.join(packages)}")
    (arguments.cache / "sources").mkdir(parents=True, exist_ok=True)
    report = _measured(arguments)
    sys.stdout.write(document(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))
    if arguments.plot:
        _plot(report, arguments.cache / "venv" / "bin" / "python", arguments.plot)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--python", default=sys.executable, metavar="PATH", help="an interpreter with what envkit needs")
    add("--cache", type=Path, default=Path("/var/tmp/envkit-bench"), metavar="DIR", help="what is kept")  # noqa: S108
    add("--scratch", type=Path, metavar="DIR", help="where the downloads go (default: the cache folder)")
    add("--runs", type=int, default=3, metavar="N", help="downloads a figure; the median is shown (default: 3)")
    add("--warm-runs", type=int, default=20, metavar="N", help="warm runs a figure (default: 20)")
    add("--patience", type=float, default=10, metavar="S", help="what takes longer is run only once (default: 10)")
    add("--at-once", type=int, default=8, metavar="N", help="connections where a peer can have several (default: 8)")
    add("--rate", type=float, default=20, metavar="MB", help="MB/s a connection on the paced line (default: 20)")
    add("--only", default="", metavar="WORD", help="only the cases with this in their title")
    add("--quick", action="store_true", help="small sets, one run, no peers from the package index: a trial")
    add("--json", type=Path, metavar="FILE", help="write every measurement there")
    add("--plot", type=Path, metavar="FILE", help="draw it (PNG)")
    return parser.parse_args()


def _measured(arguments: argparse.Namespace) -> dict[str, object]:
    chosen, left_out = tools(arguments.python, arguments.cache, peers=not arguments.quick)
    rate = round(arguments.rate * MB)
    root, started = arguments.cache / "sources", time.monotonic()
    with tempfile.TemporaryDirectory(dir=arguments.scratch or arguments.cache) as made:
        scratch = Path(made)
        (scratch / "nginx").mkdir()
        with serving(root, scratch / "nginx", rate) as server:
            cold, warm = _cases(root, chosen, arguments)
            large = cold[0].sources
            large.files()
            large.warm()
            found = limits(large, server, scratch, rate)
            kept = [case for case in cold if arguments.only in case.title]
            rows = {case.title: _downloads(case, server, scratch, arguments) for case in kept}
            kept = [case for case in warm if arguments.only in case.title]
            starts = {case.title: _starts(case, server, scratch, arguments) for case in kept}
    return {
        "machine": machine(),
        "versions": versions(chosen),
        "seconds": time.monotonic() - started,
        "large": large.size,
        "limits": found,
        "downloads": rows,
        "starts": starts,
        "left out": left_out,
    }


def _cases(root: Path, tools: Tools, arguments: argparse.Namespace) -> tuple[list[Case], list[Case]]:
    """The cold ones and the warm ones."""
    quick, at_once, paced = arguments.quick, arguments.at_once, f"at {arguments.rate:g} MB/s a connection"
    one = Sources(root, 1, (64 if quick else 2048) * MIB)
    some = Sources(root, 20 if quick else 200, 5 * MIB)
    many = Sources(root, 200 if quick else 5000, 4096)
    of_one, of_many = known.of_one_file(tools, at_once), known.of_many_files(tools, at_once)
    # Over one connection the paced line is all that would be measured, minutes long and the same for all.
    ours = [peer for peer in of_one if peer.ours][-1]  # with the most connections it has
    several = [peer for peer in of_one if peer is ours or peer.connections > 1]
    cold = [
        Case(f"one file of {one.size // MIB:,} MiB", one, of_one),
        Case(f"{some.count} files of 5 MiB", some, of_many),
        Case(f"{many.count:,} files of 4 KiB", many, of_many),
        Case(f"one file of {one.size // MIB:,} MiB, {paced}", one, several, paced=True),
        Case(f"{some.count} files of 5 MiB, {paced}", some, [p for p in of_many if p.connections > 1], paced=True),
    ]
    warm = [(3, 5 * MIB), (50 if quick else 1000, 4096)]
    when_warm = known.when_warm(tools)
    return cold, [Case(f"warm, {count:,} models", Sources(root, count, size), when_warm) for count, size in warm]


def _downloads(case: Case, server: Server, scratch: Path, arguments: argparse.Namespace) -> list[Row]:
    """Peers take turns, so that all see the same machine."""
    case.sources.files()
    case.sources.warm()
    taken: list[list[Measurement]] = [[] for _ in case.peers]
    for _ in range(1 if arguments.quick else arguments.runs):
        for peer, measurements in zip(case.peers, taken, strict=True):
            if not measurements or measurements[0].wall <= arguments.patience:
                measurements.append(_download(peer, case, server, scratch))
                _say(f"{case.title}: {peer.name}: {measurements[-1].wall:.2f} s")
    return [_row(peer, measurements) for peer, measurements in zip(case.peers, taken, strict=True)]


def _download(peer: Peer, case: Case, server: Server, scratch: Path) -> Measurement:
    with _fresh(case, server, scratch) as job:
        command = peer.prepare(job)
        os.sync()  # nobody pays for what another wrote
        measured = measure(command, job.folder, job.environ)
        if not job.has_all():
            raise SystemExit(f"{peer.name} said it was done, and files are missing in {case.title}")
    return measured


def _starts(case: Case, server: Server, scratch: Path, arguments: argparse.Namespace) -> list[Row]:
    """Each in a folder of its own, run once to bring everything there, then again and again in turns."""
    with ExitStack() as stack:
        jobs = [stack.enter_context(_fresh(case, server, scratch)) for _ in case.peers]
        commands = [peer.prepare(job) for peer, job in zip(case.peers, jobs, strict=True)]
        taken: list[list[Measurement]] = [[] for _ in case.peers]
        for _ in range(1 + (5 if arguments.quick else arguments.warm_runs)):
            for command, job, measurements in zip(commands, jobs, taken, strict=True):
                measurements.append(measure(command, job.folder, job.environ, memory=False))
    _say(f"{case.title}: done")
    return [_row(peer, measurements[1:]) for peer, measurements in zip(case.peers, taken, strict=True)]


@contextmanager
def _fresh(case: Case, server: Server, scratch: Path) -> Iterator[Job]:
    """A job in a folder where nothing of an earlier run is found: no cache, no store, no home."""
    with tempfile.TemporaryDirectory(dir=scratch) as made:
        folder = Path(made)
        for name in ("out", "home"):
            (folder / name).mkdir()
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder / "home")}
        environ |= {"ENVKIT_STORE": str(folder / "store"), "DVC_SITE_CACHE_DIR": str(folder / "dvc")}
        url = server.paced if case.paced else server.fast
        yield Job(case.sources, case.sources.files(), url, folder, {**environ, "DVC_NO_ANALYTICS": "1"})


def _row(peer: Peer, measurements: list[Measurement]) -> Row:
    return {
        "name": peer.name,
        "ours": peer.ours,
        "connections": peer.connections,
        "verifies": peer.verifies,
        "wall": [measured.wall for measured in measurements],
        "cpu": [measured.cpu for measured in measurements],
        "peak": [measured.peak for measured in measurements],
    }


def _plot(report: dict[str, object], python: Path, image: Path) -> None:
    if not python.exists():
        _say(f"no {image}: matplotlib is not there")
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), str(REPOSITORY / "bench" / "plot.py"), str(image)]
    subprocess.run(command, input=json.dumps(report), text=True, check=True)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
