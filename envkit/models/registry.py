"""``models.yaml`` → frozen dataclasses, or every problem it has at once, each with its line."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import InputError
from envkit.models import document, spelling
from envkit.models.document import NotADocumentError, Value
from envkit.models.entry import read_entry
from envkit.models.model import PLACEHOLDER_MD5, Model


@dataclass(frozen=True)
class Registry:
    """Every model of one ``models.yaml``, in its order; ``file`` is its name for messages."""

    file: str
    models: tuple[Model, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not wrong, but will not work either."""
        return tuple(
            f"{self.file}:{model.line}: {model} has the MD5 of an empty file: a placeholder that no download will match"
            for model in self.models
            if model.artifact.digests.md5 == PLACEHOLDER_MD5
        )


def load(path: Path) -> Registry:
    """Read a registry.

    Raises:
        InputError: with one paragraph for each problem, ``models.yaml:LINE: …``.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 at byte {error.start}") from error
    return parse(text, path.name)


def parse(text: str, file: str = "models.yaml") -> Registry:
    """Read the text of a registry; ``file`` is its name for messages. Raises as `load` does."""
    problems: list[tuple[int, str]] = []

    def complain(line: int, message: str, hint: str | None) -> None:
        problems.append((line, f"{file}:{line}: {message}" + (f"\n  {hint}" if hint else "")))

    try:
        models = [
            model
            for position, entry in enumerate(_entries(text), start=1)
            if (model := read_entry(entry, position, complain))
        ]
    except NotADocumentError as error:
        complain(error.line, error.message, error.hint)
    else:
        for model, message, hint in _clashes(models):
            complain(model.line, f"model {model.name!r} {message}", hint)
    if problems:
        raise InputError("\n".join(message for _, message in sorted(problems, key=lambda problem: problem[0])))
    return Registry(file, tuple(models))


def _entries(text: str) -> tuple[Value, ...]:
    root = document.read(text)
    fields = root.fields if root else None
    if root is None or fields is None:
        raise NotADocumentError(root.line if root else 1, "expected a mapping with a list called 'models'")
    found = [value for key, value in fields if key == "models"]
    if not found:
        near = next((key for key, _ in fields if spelling.near(key, ("models",))), None)
        raise NotADocumentError(root.line, "has no 'models'", f"did you mean 'models' by {near!r}?" if near else None)
    if len(found) > 1:
        raise NotADocumentError(found[1].line, "has 'models' twice", f"the first is on line {found[0].line}")
    if found[0].items is None and (found[0].text is not None or found[0].fields is not None):
        raise NotADocumentError(found[0].line, "'models' is not a list", "write `- name: …` below it")
    return found[0].items or ()


def _clashes(models: list[Model]) -> list[tuple[Model, str, str]]:
    """Models that are declared twice, or whose files would overwrite each other."""
    clashes = []
    declared: dict[tuple[str, str], Model] = {}
    landed: dict[str, Model] = {}
    for model in models:
        # As a file system may compare names that ignores case and how an accent is composed.
        place = unicodedata.normalize("NFC", model.target).casefold()
        if first := declared.get((model.name, model.version)):
            clashes.append((model, f"{model.version} is there twice", f"the first is on line {first.line}"))
        elif first := landed.get(place):
            hint = f"so does the {first} on line {first.line}"
            clashes.append((model, f"would be checkpoints/{model.target}", hint))
        declared.setdefault((model.name, model.version), model)
        landed.setdefault(place, model)
    return clashes
