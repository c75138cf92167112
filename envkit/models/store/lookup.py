"""What a store already has of a model."""

from __future__ import annotations

from collections.abc import Callable

from envkit.models.model import Digests, Model
from envkit.models.store.blobs import Blobs
from envkit.models.store.trees import Leaf, Tree, Trees


def find(model: Model, blobs: Blobs, trees: Trees, advance: Callable[[int], None]) -> Tree | None:
    """The files of a model, each of them proven; None unless all are there.

    ``advance`` is told how many bytes were hashed, where stat facts would not do.
    """
    if _is_one_blob(model):
        found = blobs.find(model.artifact.digests, advance)
        return Tree(found, (Leaf("", str(found.sha256), found.size or 0),)) if found else None
    tree = trees.find(model)
    if tree is None:
        return None
    there = (blobs.find(Digests(None, leaf.sha256, leaf.size), advance) for leaf in tree.leaves)
    return tree if all(there) else None


def seems_there(model: Model, blobs: Blobs, trees: Trees) -> bool:
    """Whether the files are there by name. Nothing is hashed, and so nothing proven."""
    if _is_one_blob(model):
        return blobs.has(model.artifact.digests)
    tree = trees.find(model)
    return tree is not None and all(blobs.path(leaf.sha256).exists() for leaf in tree.leaves)


def has_artifact(model: Model, blobs: Blobs) -> bool:
    """Whether the archive that a model comes out of is there by name: a lock leaves it, a sync does not keep it."""
    return model.unpack is not None and blobs.has(model.artifact.digests)


def _is_one_blob(model: Model) -> bool:
    return model.unpack is None and not model.artifact.paths and not model.is_folder
