"""The example notebook's form, and that what it names is there; ``tests/e2e/test_jupyter.py`` runs it."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

from envkit.models.registry import registry
from tests.support.project import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
NOTEBOOK = json.loads((EXAMPLES / "ocr.ipynb").read_text("utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
HELPER = (EXAMPLES / "ocr.py").read_text("utf-8")


def test_it_is_valid_and_its_outputs_are_stripped() -> None:
    nbformat.validate(NOTEBOOK)
    ran = [cell for cell in NOTEBOOK["cells"] if cell.get("outputs") or cell.get("execution_count") is not None]
    assert not ran
    assert set(NOTEBOOK["metadata"]) == {"kernelspec", "language_info"}
    assert NOTEBOOK["metadata"]["kernelspec"]["name"] == "python3"


def test_every_cell_of_code_is_short_and_follows_a_sentence() -> None:
    kinds = [cell["cell_type"] for cell in NOTEBOOK["cells"]]
    assert kinds == ["markdown", "code"] * len(CODE) + ["markdown"]
    assert max(source.count("\n") + 1 for source in CODE) <= 16


def test_it_imports_only_what_the_image_has() -> None:
    asked_for = "".join(path.read_text("utf-8") for path in (REPOSITORY / "requirements").glob("paddle-*.in"))
    distributions = set(re.findall(r"^([a-z][a-z0-9-]*)", asked_for, re.MULTILINE))
    provided = {"cv2": "opencv-python-headless", "paddle": "paddlepaddle"}
    for name in imported("\n".join(CODE)) | imported(HELPER):
        known = name in sys.stdlib_module_names or (EXAMPLES / f"{name}.py").is_file()
        assert known or provided.get(name, name) in distributions, name


def imported(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_it_uses_only_what_its_helper_defines() -> None:
    defined = {node.name for node in ast.parse(HELPER).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    used = {name for source in CODE for name in re.findall(r"\bocr\.(\w+)", source)}
    assert used <= defined
    assert {name for name in defined if not name.startswith("_")} - used <= {"has_gpu", "decode"}


def test_the_models_it_loads_are_those_of_the_registry() -> None:
    targets = {model.target for model in registry.load(REPOSITORY / "models.yaml").models}
    loaded = {Path(place).parts[0] for source in CODE for place in re.findall(r'CHECKPOINTS / "([^"]+)"', source)}
    assert loaded == targets


@pytest.mark.parametrize("image", re.findall(r'"(images/[^"]+)"', "".join(CODE)))
def test_its_pictures_are_there_and_small(image: str) -> None:
    content = (EXAMPLES / image).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 100_000
