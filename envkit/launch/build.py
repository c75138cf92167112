"""Building the image with ``docker buildx``: with the host's certificates, settings of pip and proxies, in no layer."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envkit.errors import EngineError
from envkit.launch import base as bases
from envkit.launch import context, hostpip, loopback, private
from envkit.launch.spec import Variant
from envkit.result import Report
from envkit.settings import Settings

# `#7 [image 2/5] RUN --mount=… sh …`: a step begins; every line of its output begins with its number too.
_LINE = re.compile(r"^#(?P<step>\d+) (?P<text>.*)$")
_BEGINS = re.compile(r"^(\[(?!internal|auth)|exporting to )")

_NO_BASE = re.compile(r"failed to resolve source metadata for (?P<image>\S+): (?P<why>.*)$", re.MULTILINE)

# The end of a plain log has the failed command with the last lines that it wrote.
_SHOWN_LINES = 30


def ensure(settings: Settings, variant: Variant, report: Report) -> str:
    """The name of the image for these settings, which is there when this returns: found, or built once.

    Raises:
        EngineError: it could not be built.
    """
    name = context.image_name(variant, settings.base)
    if not bases.exists(name):
        report(f"{name}: not here, building it (once; a few minutes)")
        build(settings, variant, base=settings.base, no_cache=False, report=report)
    return name


def build(settings: Settings, variant: Variant, *, base: str | None, no_cache: bool, report: Report) -> str:
    """Build the image, from the layers that are there unless ``no_cache``; returns its name.

    Raises:
        EngineError: a base is not to be had, or a step failed; the log's last lines are in the message.
    """
    name = context.image_name(variant, base)
    on = bases.resolve(variant, base, report)
    report(f"{name}: building it on {on}")
    pip_config = hostpip.pip_config() or ""
    options = [*_arguments(variant, on), *_proxies(settings), *_network(settings, pip_config, report)]
    options += ["--no-cache"] if no_cache else []
    options += ["--tag", name, "--tag", context.short_name(variant), "--target", variant]
    with context.stage() as folder, tempfile.TemporaryDirectory(prefix="envkit-build-") as scratch:
        secrets = _secrets(settings, pip_config, Path(scratch))
        command = ["docker", "buildx", "build", *_builder(), "--load", "--provenance=false", *options, *secrets]
        log = _run([*command, str(folder)], report)
    if log is not None:
        raise _failure(log, settings, variant)
    return name


def _arguments(variant: Variant, base: str) -> list[str]:
    pairs = context.build_arguments(variant, None if base == context.default_base(variant) else base)
    return [word for name, value in pairs.items() for word in ("--build-arg", f"{name}={value}")]


def _builder() -> list[str]:
    """The engine's own: another, if one is in use, does not see the images that are only here."""
    shown = bases.docker("context", "inspect", "--format", "{{.Name}}")
    return ["--builder", shown.stdout.strip() if shown.returncode == 0 else "default"]


def _proxies(settings: Settings) -> list[str]:
    # Predefined arguments are in no layer. Without a value buildx takes the environment's: no process list shows one.
    return [word for name, _ in settings.proxies for word in ("--build-arg", name)]


def _network(settings: Settings, pip_config: str, report: Report) -> list[str]:
    """A proxy or an index on this machine's loopback is out of reach of a build with a network of its own."""
    if not loopback.is_needed(settings, pip_config):
        return []
    report("  a proxy or a package index is on this machine's loopback: the build uses the machine's network")
    return ["--network", "host"]


def _secrets(settings: Settings, pip_config: str, scratch: Path) -> list[str]:
    options = ["--secret", f"id=ca,src={settings.ca_bundle}"] if settings.ca_bundle else []
    if pip_config:
        path = scratch / "pip.conf"
        path.touch(mode=0o600)
        path.write_text(pip_config, "utf-8")
        options += ["--secret", f"id=pip,src={path}"]
    return options


def _run(command: list[str], report: Report) -> str | None:
    """Run the build; None if it succeeded, else its log, which is empty where a terminal has shown it."""
    terminal = sys.stderr.isatty()
    with _started([*command, "--progress", "auto" if terminal else "plain"], watched=not terminal) as process:
        log = "".join(_watch(process.stderr, report)) if process.stderr else ""
        return None if process.wait() == 0 else log


def _failure(log: str, settings: Settings, variant: Variant) -> EngineError:
    if not log:
        return EngineError("the build failed", hint="its last lines are above")
    if missing := _NO_BASE.search(log):
        return EngineError(
            f"{missing['image']}: not here, and no registry gives it: {missing['why']}", hint=bases.WAYS_OUT
        )
    kept = settings.state / f"build-{variant}.log"
    private.write(kept, log, settings.caller)
    last = "\n  ".join(log.rstrip().splitlines()[-_SHOWN_LINES:])
    return EngineError(f"the build failed; its log ends with:\n  {last}", hint=f"the whole log: {kept}")


def _watch(log: Iterable[str], report: Report) -> Iterator[str]:
    """Give the log as it grows, and report each step once, when it turns out to do something."""
    begun: dict[str, str] = {}
    said = set()
    for line in log:
        yield line
        if not (found := _LINE.match(line)):
            continue
        step, text = found["step"], found["text"]
        if _BEGINS.match(text):
            begun[step] = _brief(text)
        elif step in begun and text != "CACHED" and begun[step] not in said:
            said.add(begun[step])
            report(f"  {begun[step]}")


def _brief(text: str) -> str:
    text = " ".join(re.sub(r"--mount=\S+", "", text).split())
    return text if len(text) <= 100 else f"{text[:99]}…"


@contextmanager
def _started(command: list[str], *, watched: bool) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive this block; interrupted, it gets the time to tell the engine."""
    errors = subprocess.PIPE if watched else None
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, text=True, errors="replace") as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
