"""Settings, read once: flags over environment over ``envkit.yaml`` over defaults.

This is the only module that looks at the environment; everything else gets a frozen `Settings`.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from envkit.errors import InputError

ModelsMode = Literal["strict", "warn", "off"]
VariantChoice = Literal["auto", "cpu", "gpu"]

REGISTRY = "models.yaml"
CONFIG = "envkit.yaml"

_CHOICES: dict[str, tuple[str, ...]] = {"models": ("strict", "warn", "off"), "variant": ("auto", "cpu", "gpu")}
_KEYS = ("base", "image", "models", "notebook", "variant")
_CA_VARIABLES = ("ENVKIT_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT")
_CA_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Owner:
    """Whose files a project's are: numeric user and group."""

    uid: int
    gid: int

    @property
    def is_root(self) -> bool:
        return self.uid == 0


@dataclass(frozen=True)
class Settings:
    """What one run of envkit goes by.

    ``project`` is the folder that holds ``models.yaml``; ``owner`` is who its files belong to; ``caller`` is who runs
    envkit (under sudo: who called sudo), ``home`` their home folder, ``state`` envkit's own folder in it;
    ``ca_bundle`` is the host's certificate bundle, if one was found; ``proxies`` are the proxy variables that are set;
    ``base`` and ``image`` are image references; ``notebook`` is the one to open first, relative to the project.
    """

    project: Path
    owner: Owner
    caller: Owner
    home: Path
    state: Path
    models: ModelsMode = "strict"
    variant: VariantChoice = "auto"
    image: str | None = None
    base: str | None = None
    notebook: str | None = None
    ca_bundle: Path | None = None
    proxies: tuple[tuple[str, str], ...] = ()


def load(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    anywhere: bool = False,
) -> Settings:
    """Read the settings of the project in ``flags["project"]``, else of the nearest folder above ``cwd``.

    With ``anywhere`` a folder that is no project will do, for commands that need none of its models.

    Raises:
        InputError: no project there, or a setting that is none of those allowed.
    """
    environ = os.environ if environ is None else environ
    cwd = cwd or _current()
    named = flags.get("project")
    project = cwd if anywhere and named is None and not _above(cwd) else find_project(named, cwd)
    chosen: dict[str, str] = {}
    in_file = _read_config(project / CONFIG)
    for key in _KEYS:
        for label, value in (  # the last one that is set wins
            (f"{project / CONFIG}: {key}", in_file.get(key)),
            (f"ENVKIT_{key.upper()}", environ.get(f"ENVKIT_{key.upper()}")),
            (f"--{key}", flags.get(key)),
        ):
            if value:
                _check(label, key, value)
                chosen[key] = value
    euid, egid = os.geteuid(), os.getegid()
    sudo = _sudo(euid, environ)
    home = Path((_home_of(sudo.uid) if sudo else None) or environ.get("HOME") or _home_of(euid) or "/nonexistent")
    # A relative path there is no path, says the XDG specification.
    xdg = Path(environ.get("XDG_STATE_HOME", ""))
    state = xdg if xdg.is_absolute() and not sudo else home / ".local" / "state"
    return Settings(
        project=project,
        owner=whose(euid, egid, environ, project),
        caller=sudo or Owner(euid, egid),
        home=home,
        state=state / "envkit",
        models=cast(ModelsMode, chosen.get("models", "strict")),
        variant=cast(VariantChoice, chosen.get("variant", "auto")),
        image=chosen.get("image"),
        base=chosen.get("base"),
        notebook=chosen.get("notebook"),
        ca_bundle=_ca_bundle(environ),
        proxies=tuple((name, environ[name]) for name in _PROXY_VARIABLES if environ.get(name)),
    )


def _current() -> Path:
    try:
        return Path.cwd().resolve()
    except FileNotFoundError as error:
        raise InputError("the current folder is gone", hint="change to one that is there") from error


def find_project(named: str | None, cwd: Path) -> Path:
    """The folder with ``models.yaml``: the one named, else ``cwd`` or the nearest above it."""
    if named is not None:
        folder = _expanded(named).resolve()
        if not _is_file(folder / REGISTRY):
            raise InputError(f"{folder}: no {REGISTRY} here", hint="a project is a folder that holds one")
        return folder
    found = _above(cwd)
    if found is None:
        hint = "go to a project, or name it: --project DIR"
        raise InputError(f"{cwd}: no {REGISTRY} here or in a folder above", hint=hint)
    return found


def _above(cwd: Path) -> Path | None:
    return next((folder for folder in (cwd, *cwd.parents) if _is_file(folder / REGISTRY)), None)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path}: no such user") from error


def _is_file(path: Path) -> bool:
    """False also for what this user may not look at."""
    try:
        return path.is_file()
    except OSError:
        return False


def _home_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:  # a number without an account: a container's, a directory service that is away
        return None


def whose(euid: int, egid: int, environ: Mapping[str, str], project: Path) -> Owner:
    """Who the project's files belong to: the caller; under sudo, who called sudo; for root, the folder's owner."""
    if euid != 0:
        return Owner(euid, egid)
    found = project.stat()
    return _sudo(euid, environ) or Owner(found.st_uid, found.st_gid)


def _sudo(euid: int, environ: Mapping[str, str]) -> Owner | None:
    uid, gid = environ.get("SUDO_UID", ""), environ.get("SUDO_GID", "")
    called = euid == 0 and uid.isdecimal() and gid.isdecimal() and uid != "0"
    return Owner(int(uid), int(gid)) if called else None


def _read_config(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    import yaml

    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not readable as YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a mapping of settings, got a {type(document).__name__}")
    unknown = sorted(str(key) for key in document if key not in _KEYS)
    if unknown:
        raise InputError(f"{path}: unknown setting {unknown[0]!r}", hint=f"known: {', '.join(_KEYS)}")
    # YAML 1.1 reads a bare `off` as false.
    return {key: "off" if value is False else str(value) for key, value in document.items() if value is not None}


def _check(label: str, key: str, value: str) -> None:
    allowed = _CHOICES.get(key)
    if allowed and value not in allowed:
        raise InputError(f"{label} is {value!r}", hint=f"expected one of: {', '.join(allowed)}")
    if key == "notebook" and (Path(value).is_absolute() or ".." in Path(value).parts):
        raise InputError(f"{label} is {value!r}", hint="expected a path below the project")


def _ca_bundle(environ: Mapping[str, str]) -> Path | None:
    ours = environ.get(_CA_VARIABLES[0])
    if ours and not _is_file(Path(ours)):
        raise InputError(
            f"{_CA_VARIABLES[0]}: {ours} is no file", hint="it names a bundle of certificates, in PEM format"
        )
    named = (environ.get(name) for name in _CA_VARIABLES)
    for candidate in (*named, *_CA_SYSTEM):
        if candidate and _is_file(Path(candidate)):
            return Path(candidate).resolve()
    return None
