"""The history that the documents show: an OCR service over half a year."""

from __future__ import annotations

from pathlib import Path

from envkit.models.locking import lock
from envkit.models.model import Digests
from tests.support.history_project import GitProject, registry
from tests.support.model_project import md5, sha256

DECLARED = {"hmean": {"higher_is_better": True}, "latency_ms": {"higher_is_better": False}}


class Example:
    """The project, and what its registry has by now."""

    def __init__(self, root: Path) -> None:
        self.repo = GitProject.make(root)
        self.entries: dict[str, dict[str, object]] = {}

    def step(self, author: str, subject: str, *entries: dict[str, object], tag: str | None = None) -> None:
        """A week later somebody commits these entries."""
        self.repo.days += 8
        self.entries |= {str(entry["name"]): entry for entry in entries}
        self.repo.commit(subject, author=author, registry=registry(*self.entries.values(), metrics=DECLARED))
        if tag:
            self.repo.git("tag", tag)


def make(root: Path) -> GitProject:
    """Make it, with ``main`` checked out."""
    example = Example(root)
    example.step("张伟", "Start with PP-OCRv2", det("2.0", 0.742, 9.8), rec("2.0", "70.3%", 6.2))
    example.step("Li Lei", "PP-OCR 2.1", det("2.1", 0.751, 8.1), rec("2.1", "71.6%", 6.0), tag="v0.1.0")
    example.step("王芳", "Detection 3.0", det("3.0", 0.763, 7.9))
    example.step("Han Meimei", "Recognition 3.0, with the new dictionary", rec("3.0", "75.1%", 5.4), tag="v0.2.0")
    example.step("Li Lei", "A smaller detector: faster, a little worse", det("3.1", 0.759, 6.2), tag="v0.2.1")
    _try_the_server_detector(example)
    example.repo.write(lock=locked("1.2.0"))
    example.step("张伟", "ResNet50-vd for the orientation of pages", resnet())
    example.step("Han Meimei", "Recognition 3.1", rec("3.1", "75.4%", 5.5))
    example.step("王芳", "PP-OCRv4 detection", det("4.0", 0.778, 6.4), tag="v0.3.0")
    example.repo.write(lock=locked("1.3.0"))
    example.step("renovate[bot]", "Lock: ResNet50-vd 1.3.0", resnet())
    example.step("Li Lei", "PP-OCRv4 recognition", rec("4.0", "78.2%", 5.6), tag="v0.4.0")
    example.step("Li Lei", "Upload recognition again", rec("4.0", "77.5%", 5.6, upload="second"))
    example.step("王芳", "Detection 4.1", det("4.1", 0.786, 5.2), tag="v0.5.0")
    example.repo.git("branch", "develop")
    return example.repo


def _try_the_server_detector(example: Example) -> None:
    before = dict(example.entries)
    example.repo.branch("feature/server-det")
    example.step("Sofía Núñez", "Try the server detector", det("4.0-server", 0.812, 24.0))
    example.repo.checkout("main")
    example.entries = before


def det(version: str, hmean: float, latency: float) -> dict[str, object]:
    return _zoo("ppocr_det", version, "", task="text detection", metrics={"hmean": hmean, "latency_ms": latency})


def rec(version: str, accuracy: str, latency: float, upload: str = "") -> dict[str, object]:
    more = {"task": "text recognition", "accuracy": accuracy, "metrics": {"latency_ms": latency}}
    return _zoo("ppocr_rec", version, upload, **more)


def _zoo(name: str, version: str, upload: str, **more: object) -> dict[str, object]:
    url = f"https://zoo.example.com/{name}/{version}/{name}.pdparams"
    known = {"name": name, "version": version, "source": "model_zoo_official", "weights_url": url}
    return {**known, "md5": md5(f"{name}{version}{upload}".encode()), **more}


def resnet() -> dict[str, object]:
    package = {"source": "pypi", "package": "paddle-resnet50-vd", "path": "resnet50_vd/"}
    return {"name": "resnet50_vd", "version": "stable", **package, "accuracy_top1": "79.1%"}


def locked(version: str) -> str:
    asked = {"source": "pypi", "version": "stable", "package": "paddle-resnet50-vd"}
    body = f"resnet50_vd {version}".encode()
    file = lock.LockedFile(
        "", Digests(md5(body), sha256(body), 102_400_000), "https://files.example.com/resnet50_vd.whl"
    )
    locator, when = f"paddle-resnet50-vd=={version}", "2026-05-01T00:00:00Z"
    return lock.dump(
        lock.Lock.of([lock.Locked("resnet50_vd", asked, version, locator, (file,), when, "the package index")])
    )
