"""Settings, read once: flags over environment over ``envkit.yaml`` over defaults.

This is the only module that looks at the environment; everything else gets a frozen `Settings`.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from envkit.ci import Ci, detect
from envkit.errors import InputError

ModelsMode = Literal["strict", "warn", "off"]
VariantChoice = Literal["auto", "cpu", "gpu"]

REGISTRY = "models.yaml"
CONFIG = "envkit.yaml"
_OWN = (REGISTRY, "models.lock.yaml", CONFIG)

_CHOICES: dict[str, tuple[str, ...]] = {"models": ("strict", "warn", "off"), "variant": ("auto", "cpu", "gpu")}
_KEYS = ("base", "image", "limit_rate", "models", "notebook", "store", "variant")
_REWRITE = "rewrite"
_SECTIONS = ("policy", "review")
_TOKEN = "ENVKIT_TOKEN_"  # noqa: S105 - the beginning of a name
_UNITS = {**{str(digit): 1 for digit in range(10)}, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_RATE = re.compile(r"[0-9]{1,15}(\.[0-9]+)?[kKmMgG]|[0-9]{1,15}")
_LEAST_RATE = 1024
_CA_VARIABLES = ("ENVKIT_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT")
_CA_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_HUB = "https://huggingface.co"
# What a program's results may depend on; of these, whatever looks like a secret is left out.
_RUN_VARIABLES = re.compile(
    r"(CUBLAS|CUDA|CUDNN|FLAGS|GLOG|KMP|MKL|NCCL|NVIDIA|OMP|OPENBLAS|PADDLE)_\w+"
    r"|LANG|LC_ALL|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONHASHSEED|PYTHONPATH|TZ"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(^|_)(API_?)?KEY(_|$)", re.IGNORECASE)
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
    ``cache`` is envkit's folder among the caches, ``store`` the folder of blobs if one is named; ``limit_rate`` is in
    bytes per second; ``rewrite`` has beginnings of URLs and what to put in their place, ``tokens`` bearer tokens by
    their host's name as a variable has it (``.`` as ``_``, ``-`` as ``__``, lower case).
    ``hub_endpoint`` is the URL of the hub that the source ``huggingface`` asks, ``hub_token`` the caller's for it;
    ``ci`` is what a CI system says of the run, where one started it;
    ``policy`` and ``review`` are the sections of those names, as JSON types, for the modules of those names to read;
    ``base`` and ``image`` are image references; in a container ``image_id`` and ``image_digest`` say which image
    exactly it was made from, as far as its maker told; ``environment`` has the variables that a program's results may
    depend on, without secrets; ``notebook`` is the one to open first, relative to the project.
    """

    project: Path
    owner: Owner
    caller: Owner
    home: Path
    state: Path
    cache: Path = Path("/var/cache/envkit")
    models: ModelsMode = "strict"
    variant: VariantChoice = "auto"
    image: str | None = None
    image_id: str | None = None
    image_digest: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    base: str | None = None
    notebook: str | None = None
    ca_bundle: Path | None = None
    proxies: tuple[tuple[str, str], ...] = ()
    store: Path | None = None
    limit_rate: int | None = None
    hub_endpoint: str = _HUB
    hub_token: str | None = field(default=None, repr=False)
    ci: Ci = field(default_factory=Ci)
    policy: Mapping[str, object] = field(default_factory=dict)
    review: Mapping[str, object] = field(default_factory=dict)
    rewrite: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tokens: tuple[tuple[str, str], ...] = field(default=(), repr=False)


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
    in_file, rewrite, sections = _read_config(project / CONFIG)
    for key in _KEYS:
        for label, value in (  # the last one that is set wins
            (f"{project / CONFIG}: {key}", in_file.get(key)),
            (f"ENVKIT_{key.upper()}", environ.get(f"ENVKIT_{key.upper()}")),
            (f"--{key.replace('_', '-')}", flags.get(key)),
        ):
            if value:
                _check(label, key, value)
                chosen[key] = value
    euid, egid = os.geteuid(), os.getegid()
    sudo = _sudo(euid, environ)
    home = Path((_home_of(sudo.uid) if sudo else None) or environ.get("HOME") or _home_of(euid) or "/nonexistent")
    return Settings(
        project=project,
        owner=whose(euid, egid, environ, project),
        caller=sudo or Owner(euid, egid),
        home=home,
        state=_xdg("XDG_STATE_HOME", home / ".local" / "state", environ, sudo) / "envkit",
        cache=_xdg("XDG_CACHE_HOME", home / ".cache", environ, sudo) / "envkit",
        models=cast(ModelsMode, chosen.get("models", "strict")),
        variant=cast(VariantChoice, chosen.get("variant", "auto")),
        image=chosen.get("image"),
        image_id=environ.get("ENVKIT_IMAGE_ID") or None,
        image_digest=environ.get("ENVKIT_IMAGE_DIGEST") or None,
        environment=_of_a_run(environ),
        base=chosen.get("base"),
        notebook=chosen.get("notebook"),
        ca_bundle=_ca_bundle(environ),
        proxies=tuple((name, environ[name]) for name in _PROXY_VARIABLES if environ.get(name)),
        store=_expanded(chosen["store"]) if "store" in chosen else None,
        limit_rate=_rate(chosen["limit_rate"]) if "limit_rate" in chosen else None,
        hub_endpoint=environ.get("HF_ENDPOINT", "").strip().rstrip("/") or _HUB,
        hub_token=_hub_token(environ, _xdg("XDG_CACHE_HOME", home / ".cache", environ, sudo)),
        ci=detect(environ),
        policy=sections.get("policy", {}),
        review=sections.get("review", {}),
        rewrite=tuple({**rewrite, **_rules(environ.get("ENVKIT_URL_REWRITE", ""))}.items()),
        tokens=tuple(
            (name[len(_TOKEN) :].lower(), environ[name].strip()) for name in environ if name.startswith(_TOKEN)
        ),
    )


def _of_a_run(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    named = ((name, environ[name]) for name in sorted(environ) if _RUN_VARIABLES.fullmatch(name))
    return tuple((name, value) for name, value in named if not (_SECRET.search(name) or re.search(r"://[^/]*@", value)))


def _xdg(name: str, default: Path, environ: Mapping[str, str], sudo: Owner | None) -> Path:
    # A relative path there is no path, says the XDG specification.
    path = Path(environ.get(name, ""))
    return path if path.is_absolute() and not sudo else default


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


def project_of(named: str | None) -> Path | None:
    """The project that `load` would take; None where there is none."""
    try:
        return find_project(named, _current())
    except InputError:
        return None


def refuse_own(label: str, path: Path, project: Path | None) -> None:
    """Refuse to put output in the place of what a project is described by, also by way of a link.

    By their names these files are refused anywhere: another project's are as precious.

    Raises:
        InputError: ``path``, which the option ``label`` names, is ``models.yaml``, its lock or ``envkit.yaml``.
    """
    target = Path(os.path.realpath(path))
    ours = [Path(os.path.realpath(project / name)) for name in _OWN] if project else []
    if path.name in _OWN or target.name in _OWN or target in ours:
        raise InputError(f"{label}: {path} is a project's own file", hint="name another: this would overwrite it")


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


def _read_config(path: Path) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, object]]]:
    """The settings in a file, its rules for other addresses, and the sections that whoever goes by them reads."""
    if not path.is_file():
        return {}, {}, {}
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
        return {}, {}, {}
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a mapping of settings, got a {type(document).__name__}")
    rewrite = document.pop(_REWRITE, None) or {}
    if not isinstance(rewrite, dict) or not all(_is_rule(old, new) for old, new in rewrite.items()):
        raise InputError(f"{path}: {_REWRITE}: expected beginnings of URLs, each with what to put in its place")
    sections = {key: _section(path, key, document.pop(key, None)) for key in _SECTIONS}
    unknown = sorted(str(key) for key in document if key not in _KEYS)
    if unknown:
        known = ", ".join(sorted((*_KEYS, _REWRITE, *_SECTIONS)))
        raise InputError(f"{path}: unknown setting {unknown[0]!r}", hint=f"known: {known}")
    # YAML 1.1 reads a bare `off` as false.
    values = {key: "off" if value is False else str(value) for key, value in document.items() if value is not None}
    return values, dict(rewrite), sections


def _section(path: Path, key: str, value: object) -> dict[str, object]:
    if value is not None and not isinstance(value, dict):
        raise InputError(f"{path}: {key}: expected a mapping, got a {type(value).__name__}")
    return {str(name): setting for name, setting in (value or {}).items()}


def _is_rule(old: object, new: object) -> bool:
    return all(isinstance(text, str) and text.startswith(("http://", "https://")) for text in (old, new))


def _rules(text: str) -> dict[str, str]:
    """Rules such as ``OLD=NEW``, with blanks between them."""
    rules = {}
    for rule in text.split():
        old, found, new = rule.partition("=")
        if not found or not _is_rule(old, new):
            # Not shown: an address may hold a password.
            hint = "beginnings of http:// or https:// URLs, with blanks between the rules"
            raise InputError("ENVKIT_URL_REWRITE: not of the form OLD=NEW", hint=hint)
        rules[old] = new
    return rules


def _rate(text: str) -> int:
    """Bytes per second of ``500K``, ``50M`` or ``1G``, as curl's ``--limit-rate`` counts them."""
    return int(float(text[:-1] if text[-1].isalpha() else text) * _UNITS[text[-1].lower()])


def _check(label: str, key: str, value: str) -> None:
    allowed = _CHOICES.get(key)
    if allowed and value not in allowed:
        raise InputError(f"{label} is {value!r}", hint=f"expected one of: {', '.join(allowed)}")
    if key == "notebook" and (Path(value).is_absolute() or ".." in Path(value).parts):
        raise InputError(f"{label} is {value!r}", hint="expected a path below the project")
    if key == "store" and not _expanded(value).is_absolute():
        raise InputError(f"{label} is {value!r}", hint="expected an absolute path")
    if key == "limit_rate" and (not _RATE.fullmatch(value) or _rate(value) < _LEAST_RATE):
        raise InputError(f"{label} is {value!r}", hint="expected bytes per second, 1K at least: 500K, 50M, 1.5G")


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


def _hub_token(environ: Mapping[str, str], cache: Path) -> str | None:
    """Where `huggingface_hub` looks: in the variable, then where `hf auth login` leaves it."""
    if given := environ.get("HF_TOKEN", "").strip():
        return given
    folder = environ.get("HF_HOME") or cache / "huggingface"
    try:
        return (
            Path(environ.get("HF_TOKEN_PATH") or Path(folder, "token")).expanduser().read_text("utf-8").strip() or None
        )
    except (OSError, RuntimeError, UnicodeDecodeError):  # no account, or none that this user may use
        return None
