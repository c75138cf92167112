"""envkit and its peers: for each the command that brings a set of files to a fresh folder, with what it verifies."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.server import COMMIT
from bench.sources import Source, Sources

BENCH = Path(__file__).resolve().parent
# What the console script `envkit` does, for this checkout's envkit, whichever the interpreter has installed.
ENTRY = f"import sys; sys.path.insert(0, {str(BENCH.parent)!r}); from envkit.__main__ import main; sys.exit(main())"
POOCH = """\
import json, sys, pooch
url, known = sys.argv[1], json.load(open("pooch.json"))
fetcher = pooch.create(path="out", base_url=url + "/", registry=known)
for name in known:
    fetcher.fetch(name)
"""
HUB = "import sys; from huggingface_hub import snapshot_download; snapshot_download(sys.argv[1])"


@dataclass(frozen=True)
class Job:
    """A set of files to bring into ``out`` of the fresh ``folder``; ``server`` is the URL of the server's root."""

    sources: Sources
    files: tuple[Source, ...]
    server: str
    folder: Path
    environ: dict[str, str]

    @property
    def url(self) -> str:
        return f"{self.server}/{self.sources.folder}"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def write(self, name: str, lines: list[str]) -> str:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        return name

    def has_all(self) -> bool:
        """Whether there is a file of the right size for each."""
        sizes = sorted(path.stat().st_size for path in self.out.rglob("*.bin"))
        return sizes == sorted(source.size for source in self.files)


@dataclass(frozen=True)
class Tools:
    """Interpreters: ``python`` has envkit's dependencies, ``peers`` (if any) those of the peers from the index."""

    python: str
    peers: str | None
    connections_flag: bool


@dataclass(frozen=True)
class Peer:
    """A way to download. ``prepare`` writes what the command reads, off the clock, and gives the command."""

    name: str
    connections: int
    verifies: str
    prepare: Callable[[Job], list[str]]

    @property
    def ours(self) -> bool:
        return self.name.startswith("envkit")


def of_one_file(tools: Tools, at_once: int) -> list[Peer]:
    """The peers for a single file, over one connection and over ``at_once``."""
    aria2 = [
        Peer(f"aria2c -x{count}{' --checksum' * checked}", count, "md5" * checked, _aria2(1, count, checked=checked))
        for count in (1, at_once)
        for checked in (False, True)
    ]
    return [
        *_envkit_peers(tools, at_once),
        Peer("curl", 1, "", _curl),
        Peer("curl, then md5sum", 1, "md5", lambda job: _then_md5sum(job, _curl(job))),
        *aria2,
        *_scripts(tools),
        *([Peer("dvc get-url", 1, "", lambda job: _dvc_get_url(tools, job))] if tools.peers else []),
        *_from_the_index(tools, 1),
    ]


def of_many_files(tools: Tools, at_once: int) -> list[Peer]:
    """The peers for many files, ``at_once`` at a time where they can do that."""
    parallel = ["--parallel", "--parallel-immediate", "--parallel-max", str(at_once)]
    sync = ["--jobs", str(at_once), *(["--connections", "1"] if tools.connections_flag else [])]
    return [
        Peer("envkit models sync", at_once, "md5, sha256", lambda job: _envkit(tools, job, *sync)),
        Peer("curl --parallel", at_once, "", lambda job: _curl(job, *parallel)),
        Peer("curl --parallel, then md5sum", at_once, "md5", lambda job: _then_md5sum(job, _curl(job, *parallel))),
        Peer(f"curl a file, xargs -P{at_once}", at_once, "", lambda job: _curl_each(job, at_once)),
        Peer(f"aria2c -j{at_once}", at_once, "", _aria2(at_once, 1, checked=False)),
        Peer(f"aria2c -j{at_once} --checksum", at_once, "md5", _aria2(at_once, 1, checked=True)),
        *_scripts(tools),
        *_from_the_index(tools, at_once),
    ]


def when_warm(tools: Tools) -> list[Peer]:
    """Those that are run again with everything in place, and what a start of Python costs."""
    script = Peer("script, 1 KiB", 1, "md5", lambda job: _script(tools, job, 1024))
    hub = Peer("huggingface_hub snapshot_download", 1, "", lambda job: _hub(tools, job))
    return [
        Peer("python -c pass", 0, "", lambda _: [tools.python, "-c", "pass"]),
        Peer("envkit models sync", 1, "md5, sha256", lambda job: _envkit(tools, job)),
        script,
        *([Peer("dvc pull", 1, "", lambda job: _dvc_pull(tools, job, 1)), hub] if tools.peers else []),
    ]


def _envkit_peers(tools: Tools, at_once: int) -> list[Peer]:
    if not tools.connections_flag:
        return [Peer("envkit models sync", 1, "md5, sha256", lambda job: _envkit(tools, job))]

    def over(count: int) -> Peer:
        flags = ("--connections", str(count))
        return Peer(f"envkit --connections {count}", count, "md5, sha256", lambda job: _envkit(tools, job, *flags))

    return [over(1), over(at_once)]


def _scripts(tools: Tools) -> list[Peer]:
    return [
        Peer("script, 1 KiB", 1, "md5", lambda job: _script(tools, job, 1024)),
        Peer("script, 4 KiB", 1, "md5", lambda job: _script(tools, job, 4096)),
    ]


def _from_the_index(tools: Tools, at_once: int) -> list[Peer]:
    if not tools.peers:
        return []
    return [
        Peer("pooch", 1, "md5", lambda job: _pooch(tools, job)),
        Peer("dvc pull", at_once, "", lambda job: _dvc_pull(tools, job, at_once)),
        Peer("dvc pull, verify=true", at_once, "md5", lambda job: _dvc_pull(tools, job, at_once, verify="true")),
    ]


def _envkit(tools: Tools, job: Job, *flags: str) -> list[str]:
    _registry(job, "out/models.yaml")
    return [tools.python, "-c", ENTRY, "models", "sync", "--project", str(job.out), *flags]


def _registry(job: Job, name: str) -> str:
    lines = ["models:"]
    for source in job.files:
        lines += [f"  - name: m{source.name.removesuffix('.bin')}", '    version: "1"', "    source: http"]
        lines += [f"    url: {job.url}/{source.name}", f"    size: {source.size}"]
        lines += [f"    md5: {source.md5}", f"    sha256: {source.sha256}"]
    return job.write(name, lines)


def _curl(job: Job, *flags: str) -> list[str]:
    lines = [f'url = "{job.url}/{source.name}"\noutput = "out/{source.name}"' for source in job.files]
    return ["curl", "--silent", "--show-error", "--fail", *flags, "--config", job.write("curl.conf", lines)]


def _then_md5sum(job: Job, command: list[str]) -> list[str]:
    job.write("md5sums", [f"{source.md5}  out/{source.name}" for source in job.files])
    return ["sh", "-c", f"{shlex.join(command)} && md5sum --check --quiet md5sums"]


def _curl_each(job: Job, at_once: int) -> list[str]:
    lines = [f"{job.url}/{source.name} out/{source.name}" for source in job.files]
    curl = 'curl --silent --show-error --fail "$0" --output "$1"'
    return ["xargs", "-a", job.write("urls", lines), "-n2", f"-P{at_once}", "sh", "-c", f"exec {curl}"]


def _aria2(files: int, connections: int, *, checked: bool) -> Callable[[Job], list[str]]:
    # falloc: else it writes every file twice, the first time with zeros.
    flags = ["--no-conf", "--quiet", "--file-allocation=falloc", "--dir=out", "--min-split-size=1M"]
    flags += [f"-j{files}", f"-x{connections}", f"-s{connections}"]

    def prepare(job: Job) -> list[str]:
        lines = []
        for source in job.files:
            lines += [f"{job.url}/{source.name}", f"  out={source.name}"]
            lines += [f"  checksum=md5={source.md5}"] if checked else []
        return ["aria2c", *flags, f"--input-file={job.write('aria2.txt', lines)}"]

    return prepare


def _script(tools: Tools, job: Job, chunk: int) -> list[str]:
    return [tools.python, str(BENCH / "usual_script.py"), _registry(job, "models.yaml"), "out", str(chunk)]


def _pooch(tools: Tools, job: Job) -> list[str]:
    job.write("pooch.json", [json.dumps({source.name: f"md5:{source.md5}" for source in job.files})])
    return [tools.peers or sys.executable, "-c", POOCH, job.url]


def _dvc(tools: Tools, *arguments: str) -> list[str]:
    return [tools.peers or sys.executable, "-m", "dvc", *arguments]


def _dvc_get_url(tools: Tools, job: Job) -> list[str]:
    return _dvc(tools, "get-url", "--quiet", f"{job.url}/{job.files[0].name}", f"out/{job.files[0].name}")


def _dvc_pull(tools: Tools, job: Job, at_once: int, *, verify: str = "false") -> list[str]:
    """A project whose only content is the folder ``data``; links instead of copies, where dvc can make them.

    By default dvc takes what a remote sends for what was asked for: ``verify`` is its setting for that.
    """
    (job.out / ".dvc").mkdir(exist_ok=True)
    core = ["[core]", "no_scm = true", "analytics = false", "check_update = false", "remote = bench"]
    cache = ["[cache]", 'type = "reflink,hardlink,copy"']
    remote = ["['remote \"bench\"']", f"url = {job.server}/dvc", f"verify = {verify}"]
    job.write("out/.dvc/config", [*core, *cache, *remote])
    digest = job.sources.publish_dvc_folder()
    total = sum(source.size for source in job.files)
    facts = [f"- md5: {digest}", f"  size: {total}", f"  nfiles: {len(job.files)}", "  hash: md5", "  path: data"]
    job.write("out/data.dvc", ["outs:", *facts])
    return _dvc(tools, "--cd", "out", "pull", "--quiet", "--jobs", str(at_once))


def _hub(tools: Tools, job: Job) -> list[str]:
    """A repository as the hub serves it, from static files: what it has, and where they are."""
    hub, name = job.sources.root / "hub", f"bench/{job.sources.folder}"
    files = [{"type": "file", "path": source.name, "size": source.size, "oid": source.md5} for source in job.files]
    _publish(hub / "api" / "models" / name / "revision" / "main", {"id": name, "sha": COMMIT})
    _publish(hub / "api" / "models" / name / "tree" / COMMIT, files)
    resolved = hub / name / "resolve" / COMMIT
    resolved.parent.mkdir(parents=True, exist_ok=True)
    resolved.unlink(missing_ok=True)
    resolved.symlink_to(job.sources.root / job.sources.folder)
    # HF_HUB_DISABLE_XET: no xet here, and none is looked for. The snapshot lies below `out`, where it is counted.
    job.environ.update(HF_ENDPOINT=f"{job.server}/hub", HF_HOME=str(job.out), HF_HUB_DISABLE_XET="1")
    return [tools.peers or sys.executable, "-c", HUB, name]


def _publish(path: Path, answer: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer))
