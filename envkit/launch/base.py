"""Which image to build on: the one asked for, else the default, else, where no registry has it, one made here."""

from __future__ import annotations

import os
import select
import subprocess
from datetime import datetime, timedelta, timezone
from typing import IO

from envkit.errors import EngineError
from envkit.launch import context, debian
from envkit.launch.spec import Variant
from envkit.result import Report

MADE_HERE = "envkit-base"

# After this long a base made here has missed enough security updates to be made anew.
KEPT = timedelta(days=30)

# Seconds until a registry must have said something, and between two signs of life of a download. A network that drops
# packets would otherwise hold the build up for minutes.
_FIRST_SIGN, _NEXT_SIGN = 30, 180

WAYS_OUT = (
    "name an image that is here or can be pulled (envkit build --base IMAGE), or give the engine a mirror of the "
    "registry: see docs/how-to/build-behind-a-proxy-or-without-a-registry.md"
)

_INSTALL = "see docs/how-to/install-engine.md"

_AS_ROOT = "root can make it, for every user of the engine (sudo env PATH=$PATH envkit build cpu)"


def resolve(variant: Variant, asked: str | None, report: Report) -> str:
    """The image to build on. One that was asked for, and the GPU one, are the build's own to find.

    Raises:
        EngineError: the default is not to be had, and no base can be made here.
    """
    default = context.default_base(variant)
    if asked or variant == "gpu" or exists(default):
        return asked or default
    made = _made_here()
    if made and _age(made) < KEPT:
        return made
    if pull(default, report):
        return default
    try:
        return make(report)
    except EngineError as error:
        if made is None:
            raise EngineError(
                f"{default}: not to be had, and none could be made: {error.message}", hint=_hint(error)
            ) from error
        report(f"{made}: it is {_age(made).days} days old, but no newer one can be made ({error.message})")
        return made


def exists(reference: str) -> bool:
    """Whether the engine has this image.

    Raises:
        EngineError: no engine answers.
    """
    inspected = docker("image", "inspect", "--format", "{{.Id}}", reference)
    if inspected.returncode != 0 and "no such image" not in inspected.stderr.lower():
        raise EngineError(f"the Docker engine does not answer: {inspected.stderr.strip()}", hint=_INSTALL)
    return inspected.returncode == 0


def pull(reference: str, report: Report) -> bool:
    """Pull an image; False, with the reason reported, if no registry gives it in good time."""
    report(f"{reference}: not here, pulling it")
    command = ["docker", "pull", reference]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        said, in_time = _follow(process.stdout)
        if not in_time:
            process.terminate()
    if process.returncode == 0:
        return True
    lines = said.strip().splitlines() or ["no answer"]
    report(f"{reference}: no registry gives it: {lines[-1] if in_time else 'nothing more came for too long'}")
    return False


def make(report: Report) -> str:
    """Make a base from this machine's own package sources and import it; returns its name.

    Raises:
        EngineError: this is no Debian or Ubuntu, the tool for it is missing, or it failed.
    """
    wanted = debian.sources()
    name = f"{MADE_HERE}:{wanted.suite}"
    report(f"{name}: making it from this machine's own package mirror ({wanted.suite}; about a minute)")
    changes = ("--change", 'CMD ["bash"]', "--change", f"LABEL io.envkit.base={wanted.suite}")
    pipe = subprocess.PIPE
    with (
        debian.listing(wanted) as listing,
        subprocess.Popen(debian.maker(wanted), stdin=listing, stdout=pipe, stderr=pipe, text=True) as maker,
        subprocess.Popen(
            ["docker", "import", *changes, "-"], stdin=maker.stdout, stdout=pipe, stderr=pipe, text=True
        ) as importer,
    ):
        assert maker.stdout
        assert maker.stderr
        maker.stdout.close()  # the importer's alone: else the maker would not notice that it ended
        last = _relay(maker.stderr, report)
        imported, refusal = (said.strip() for said in importer.communicate())
    if importer.returncode == 0 and maker.returncode == 0:
        _name(imported, name)
        return name
    if importer.returncode == 0:
        # The part of a tar that a maker left is an image too; it has no name yet.
        docker("image", "rm", imported)
    why = "\n  ".join(said for said in (last, refusal) if said)
    raise EngineError(f"making {name} failed:\n  {why}", hint=None if os.geteuid() == 0 else _AS_ROOT)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the docker command quietly.

    Raises:
        EngineError: there is none.
    """
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError("no `docker` command here", hint=_INSTALL) from error


def _name(imported: str, name: str) -> None:
    tagged = docker("tag", imported, name)
    if tagged.returncode != 0:
        docker("image", "rm", imported)
        raise EngineError(f"{name}: it was made, but the engine would not name it so: {tagged.stderr.strip()}")


def _hint(error: EngineError) -> str:
    return f"{error.hint}; or {WAYS_OUT}" if error.hint else WAYS_OUT


def _made_here() -> str | None:
    listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", MADE_HERE).stdout.split()
    return next((name for name in listed if not name.endswith(":<none>")), None)


def _age(reference: str) -> timedelta:
    created = docker("image", "inspect", "--format", "{{.Created}}", reference).stdout
    # To the second, in UTC; the engine's nanoseconds are more than fromisoformat takes.
    return datetime.now(timezone.utc) - datetime.fromisoformat(created[:19]).replace(tzinfo=timezone.utc)


def _follow(stream: IO[bytes]) -> tuple[str, bool]:
    """Everything a command says, and whether it kept saying something until it ended."""
    said = b""
    while select.select([stream], [], [], _NEXT_SIGN if said else _FIRST_SIGN)[0]:
        chunk = os.read(stream.fileno(), 65536)
        if not chunk:
            return said.decode(errors="replace"), True
        said += chunk
    return said.decode(errors="replace"), False


def _relay(stream: IO[str], report: Report) -> str:
    """Report each kind of step of a maker when the first of it comes; returns the maker's last lines."""
    lines: list[str] = []
    kinds = set()
    for line in stream:
        lines.append(line.rstrip())
        kind = line.split()[:2]
        if kind[:1] == ["I:"] and lines[-1].endswith("...") and kind[-1] not in kinds:
            kinds.add(kind[-1])
            report(f"  {lines[-1][3:]}")
    return "\n  ".join(lines[-10:])
