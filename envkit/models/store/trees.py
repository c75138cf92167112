"""What came out of an archive, or which files a set has: path, size and digest of each. The archive need not stay."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from envkit.models.model import Digests, Model
from envkit.models.store.hand import Hand

_SCHEMA = 1


@dataclass(frozen=True)
class Leaf:
    """One file: its path in the model's folder (empty for a file that is the model), and its bytes by digest."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Tree:
    """The files of one model, and the artifact that they came from."""

    artifact: Digests
    leaves: tuple[Leaf, ...]


class Trees:
    """The trees below ``root``."""

    def __init__(self, root: Path, hand: Hand) -> None:
        self._folder = root / "trees"
        self._hand = hand

    def find(self, model: Model) -> Tree | None:
        for path in self._paths(model, model.artifact.digests):
            with suppress(OSError, ValueError, TypeError, KeyError):
                data = json.loads(path.read_text("utf-8"))
                tree = Tree(Digests(**data["artifact"]), tuple(Leaf(**leaf) for leaf in data["leaves"]))
                if data["schema"] == _SCHEMA and tree.leaves and _is_of(model, tree):
                    return tree
        return None

    def save(self, model: Model, tree: Tree) -> None:
        data = json.dumps({"schema": _SCHEMA, **asdict(tree)}).encode()
        self._hand.make_all(self._folder)
        for path in self._paths(model, tree.artifact):
            self._hand.write(path, data)

    def _paths(self, model: Model, artifact: Digests) -> list[Path]:
        """Where a tree may be: by each digest of the artifact, or by the locator where that is the proof."""
        names = [name for name in (artifact.sha256, artifact.md5) if name]
        names = names or [f"{model.artifact.source}:{model.artifact.locator}"]
        recipe = [model.unpack, *model.paths]
        return [self._folder / f"{_hash([name, *recipe])}.json" for name in names]


def _is_of(model: Model, tree: Tree) -> bool:
    wanted = model.artifact.digests
    if not (wanted.md5 or wanted.sha256):
        # Found by its locator, a commit. A hub may have lied of what that has; the lock does not.
        return model.artifact.is_made_of((leaf.path, leaf.sha256, leaf.size) for leaf in tree.leaves)
    return not wanted.mismatches(tree.artifact)


def _hash(words: list[str | None]) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]
