"""``models.yaml`` → frozen dataclasses, or every problem it has at once, each with its line and column."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from envkit.errors import InputError, Problem
from envkit.models import spelling, texts
from envkit.models.model import PLACEHOLDER_MD5, Model
from envkit.models.registry import collector, document, keys, measured
from envkit.models.registry.complaints import Complaints
from envkit.models.registry.document import Field, Mark, NotADocumentError, Value, shown
from envkit.models.registry.entry import is_name, read_entry

__all__ = ["Registry", "clashes", "is_name", "load", "parse"]


@dataclass(frozen=True)
class Registry:
    """Every model of one ``models.yaml``, in its order; ``file`` is its name for messages.

    ``metrics`` is the mapping of that name, as JSON types: what each metric of the models means. ``doubts`` is what
    was found while reading that is not wrong, but may not do what it was meant to.
    """

    file: str
    models: tuple[Model, ...]
    metrics: Mapping[str, object] = field(default_factory=dict)
    doubts: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is not wrong, but will not work either, or not as meant."""
        placeholders = [
            self.problem(
                model,
                "md5",
                "has the MD5 of an empty file: a placeholder that no download will match",
                rule="placeholder",
                level="warning",
            )
            for model in self.models
            if model.artifact.digests.md5 == PLACEHOLDER_MD5
        ]
        return tuple(sorted([*placeholders, *self.doubts], key=lambda problem: (problem.line, problem.column)))

    def problem(
        self,
        model: Model,
        key: str,
        message: str,
        hint: str | None = None,
        *,
        rule: str,
        level: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem with the value that ``model`` has for ``key``; ``message`` goes on from the model's name."""
        return Problem(self.file, *model.place(key), f"{model} {message}", hint, rule, level)


def load(path: Path) -> Registry:
    """Read a registry.

    Raises:
        InputError: with one paragraph for each problem, ``models.yaml:LINE:COLUMN: …``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(texts.MOST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(texts.decoded(content, path.name), path.name)


@collector.paused()
def parse(text: str, file: str = "models.yaml") -> Registry:
    """Read the text of a registry; ``file`` is its name for messages. Raises as `load` does."""
    complaints = Complaints(file)
    models: list[Model] = []
    metrics: Mapping[str, object] = {}
    try:
        fields = _top(text, complaints)
        for position, entry in enumerate(_entries(fields, complaints), start=1):
            if model := read_entry(entry, position, complaints):
                models.append(model)
        if "metrics" in fields:
            metrics = measured.declared(fields["metrics"], complaints)
    except NotADocumentError as error:
        complaints.complain(error.mark, error.message, error.hint)
    for model, message, hint in clashes(models):
        complaints.complain(model.place("name"), f"model {model.name!r} {message}", hint)
    if complaints.any:
        complaints.fail()
    return Registry(file, tuple(models), metrics, complaints.warnings)


def _top(text: str, complaints: Complaints) -> dict[str, Field]:
    root = document.read(text, complaints.refuse)
    if root is None or root.fields is None:
        mark, found = (root.mark, f", not {root.kind}") if root else (Mark(1, 1), "")
        raise NotADocumentError(mark, f"expected a mapping with a list called 'models'{found}")
    fields = {field.key: field for field in root.fields}
    for key, unknown in fields.items():
        if key not in keys.TOP and (meant := spelling.near(key, keys.TOP)):
            complaints.complain(unknown.mark, f"unknown key {shown(key)}", f"did you mean {meant!r}?")
    if "models" not in fields:
        complaints.complain(root.mark, "has no 'models'", "list the models below it, each as `- name: …`")
    return fields


def _entries(fields: Mapping[str, Field], complaints: Complaints) -> tuple[Value, ...]:
    if "models" not in fields:
        return ()
    models = fields["models"].value
    if models.items is None and models.plain() is not None:
        complaints.complain(fields["models"].place, "'models' is not a list", "write `- name: …` below it")
    return models.items or ()


def clashes(models: Sequence[Model]) -> list[tuple[Model, str, str]]:
    """Models that are declared twice, or whose files would overwrite each other."""
    found = []
    declared: dict[tuple[str, str], Model] = {}
    landed: dict[str, Model] = {}
    for model in models:
        # As a file system may compare names that ignores case and how an accent is composed.
        place = unicodedata.normalize("NFC", model.target).casefold()
        if first := declared.get((model.name, model.version)):
            found.append((model, f"{model.version} is there twice", f"the first is on line {first.mark.line}"))
        elif first := landed.get(place):
            hint = f"so does the {first} on line {first.mark.line}"
            found.append((model, f"would be checkpoints/{model.target}", hint))
        declared.setdefault((model.name, model.version), model)
        landed.setdefault(place, model)
    return found
