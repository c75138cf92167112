"""What of a snapshot cannot be had again, and what is different here: found before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from envkit.errors import EngineError, InputError, ModelError
from envkit.runs.snapshot import Gpu, Machine, ModelState, Python

_SHOWN = 12


@dataclass(frozen=True)
class Lack:
    """One thing. ``exit_code`` is the one to stop with, 0 for a difference that is only said.

    ``what`` is one of ``code``, ``image``, ``models``, ``python``, ``gpu``, ``machine``, ``along``.
    """

    what: str
    message: str
    hint: str | None = None
    exit_code: int = 0

    def as_data(self) -> dict[str, object]:
        return {"what": self.what, "message": self.message, "hint": self.hint, "exit_code": self.exit_code}

    def __str__(self) -> str:
        kind = "cannot be had again" if self.exit_code else "differs"
        return f"{kind}: {self.message}" + (f"\n  {self.hint}" if self.hint else "")


def stop(lacks: Iterable[Lack]) -> int:
    """The exit code to stop with: of the code before the image, of that before the models; 0 to go on."""
    codes = {lack.exit_code for lack in lacks}
    in_order = (InputError.exit_code, EngineError.exit_code, ModelError.exit_code)
    return next((code for code in in_order if code in codes), 0)


def python(recorded: Python | None, here: Python | None) -> tuple[Lack, ...]:
    """How the interpreter and its packages differ."""
    if not recorded or not here:
        return ()
    found = []
    if recorded.version != here.version:
        found.append(f"Python is {here.version}, and was {recorded.version}")
    then, now = recorded.packages, here.packages
    changed = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    found += [_package(name, then.get(name), now.get(name)) for name in changed[:_SHOWN]]
    if len(changed) > _SHOWN:
        found.append(f"{len(changed) - _SHOWN} more packages are others")
    return tuple(Lack("python", message) for message in found)


def _package(name: str, then: str | None, now: str | None) -> str:
    if now is None:
        return f"{name} {then} is not there"
    return f"{name} is {now}, and was {then}" if then else f"{name} {now} was not there"


def gpu(recorded: Gpu | None, here: Gpu | None, why: str) -> tuple[Lack, ...]:
    """How the GPUs differ; ``why`` says why there are none here."""
    if recorded is None:
        return ()
    names = ", ".join(device.name for device in recorded.devices)
    if here is None:
        hint = "the command runs without one, if it can"
        return (Lack("gpu", f"it had {len(recorded.devices)} GPUs ({names}): {why}", hint),)
    found = []
    if names != (now := ", ".join(device.name for device in here.devices)):
        found.append(f"the GPUs are {now}, and were {names}")
    if recorded.driver != here.driver:
        found.append(f"the driver is {here.driver}, and was {recorded.driver}")
    if recorded.cuda != here.cuda:
        found.append(f"the driver's CUDA is {here.cuda}, and was {recorded.cuda}")
    return tuple(Lack("gpu", message) for message in found)


def machine(recorded: Machine, here: Machine) -> tuple[Lack, ...]:
    """How the machine differs, in what may change a result's digits."""
    pairs = (
        ("architecture", recorded.architecture, here.architecture),
        ("processor", recorded.cpu, here.cpu),
        ("number of processors", recorded.cpus, here.cpus),
    )
    return tuple(Lack("machine", f"the {what} is {now}, and was {then}") for what, then, now in pairs if then != now)


def models(
    recorded: Iterable[ModelState], here: Mapping[tuple[str, str], Mapping[str, str]], *, all_known: bool
) -> tuple[Lack, ...]:
    """How models differ from those recorded.

    ``here`` has the SHA-256 of files by the model's name and version and then by the path in it; with ``all_known`` one
    that it does not have is not there, else it will only be known later.
    """
    found = []
    for model in recorded:
        label = f"model {model.name!r} {model.version}"
        files = here.get((model.name, model.version))
        if files is None:
            found.append(Lack("models", f"{label} is not in models.yaml there", exit_code=ModelError.exit_code))
            continue
        if model.why:
            hint = "the bytes that models.yaml names are taken"
            found.append(Lack("models", f"{label} was not proven when the snapshot was taken: it {model.why}", hint))
        for file in model.files:
            got = files.get(file.path, "no such file" if all_known else file.sha256)
            if got != file.sha256:
                message = f"{label}{f', {file.path}' if file.path else ''}: other bytes than it had"
                hint = f"sha256 expected {file.sha256}, got {got}"
                found.append(Lack("models", message, hint, ModelError.exit_code))
    return tuple(found)
