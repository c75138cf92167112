"""The project's documents, as far as tests need to understand them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import REPOSITORY

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block: where it is, what follows the opening fence, and what is inside."""

    path: Path
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(REPOSITORY)}:{self.line}"


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return sorted(path for pattern in ("*.md", "docs/**/*.md", "examples/*.md") for path in REPOSITORY.glob(pattern))


def fences(path: Path) -> list[Fence]:
    """The fenced blocks of a document, in their order."""
    text = path.read_text("utf-8")
    return [
        Fence(path, text.count("\n", 0, found.start()) + 1, found.group(1), found.group(2))
        for found in _FENCE.finditer(text)
    ]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))
