"""A hub of models on a test's server: what `huggingface_hub` asks of one, answered as Hugging Face answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.model_server import Answer, ModelServer

REPO = "team/ocr"
COMMIT = "c0ffee" + "0" * 34


def git_blob(body: bytes) -> str:
    """The name that Git has for the contents of a file."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class FakeHub:
    """``server`` is the hub, ``store`` where it sends those who want a large file (None: it has them itself)."""

    server: ModelServer
    store: ModelServer | None = None
    repo: str = REPO

    def publish(
        self,
        files: Mapping[str, bytes],
        *,
        lfs: Collection[str] = (),
        commit: str = COMMIT,
        revision: str = "main",
        page: int = 1000,
        behind: str | None = None,
    ) -> None:
        """Have ``files`` at a commit that ``revision`` names; lists come in pages of so many entries.

        ``behind`` is the address that the list's links to its next page have: another than the hub's own on a mirror.
        """
        entries = [self._entry(path, body, path in lfs) for path, body in files.items()]
        folders = {path.rpartition("/")[0] for path in files if "/" in path}
        entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in sorted(folders)]
        for name in (revision, commit):
            self.answer(f"revision/{name}", {"id": self.repo, "sha": commit})
        pages = [entries[start : start + page] for start in range(0, len(entries), page)] or [[]]
        self.answer_pages(f"tree/{commit}", pages, behind)
        for path, body in files.items():
            self._serve(path, body, commit, is_large=path in lfs)

    def publish_refs(self, tags: Collection[str] = (), branches: Collection[str] = ("main",)) -> None:
        """Have these names for commits; `publish` says of which."""
        kinds = (("tags", "tags", tags), ("branches", "heads", branches))
        listed = {kind: [{"name": name, "ref": f"refs/{ref}/{name}"} for name in names] for kind, ref, names in kinds}
        self.answer("refs", {**listed, "converts": []})

    def answer(self, what: str, body: object) -> None:
        """Answer the API's question about ``what`` of the repository."""
        self.server.serve(self.api(what), _json(body))

    def answer_pages(self, what: str, pages: Sequence[object], behind: str | None = None) -> None:
        address = behind or self.server.url("")
        links = [f"{address}{quote(self.api(what))}?recursive=true&cursor={number}" for number in range(1, len(pages))]
        headers = [{"Link": f'<{link}>; rel="next"'} for link in links]
        answers = [_json(page, more) for page, more in zip(pages, [*headers, {}], strict=True)]
        self.server.serve(self.api(what), *answers)

    def refuse(self, path: str, status: int, code: str | None = None) -> None:
        """Refuse what is at a path, with the hub's own word for why."""
        self.server.serve(path, Answer(b"no", status, {"X-Error-Code": code} if code else {}))

    def api(self, what: str) -> str:
        return f"/api/models/{self.repo}/{what}"

    def file(self, path: str, commit: str = COMMIT) -> str:
        return f"/{self.repo}/resolve/{commit}/{path}"

    def _serve(self, path: str, body: bytes, commit: str, *, is_large: bool) -> None:
        digest = hashlib.sha256(body).hexdigest() if is_large else git_blob(body)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
        if self.store and is_large:
            target = self.store.serve(f"/objects/{digest}", body)
            linked = {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(len(body))}
            away = Answer(status=302, headers={**headers, **linked, "Location": f"{target}?signature=s3cret"})
            self.server.serve(self.file(path, commit), away)
        else:
            self.server.serve(self.file(path, commit), Answer(body, headers={**headers, "Content-Type": "text/plain"}))

    def _entry(self, path: str, body: bytes, is_large: bool) -> dict[str, object]:
        if not is_large:
            return {"type": "file", "oid": git_blob(body), "size": len(body), "path": path}
        digest = hashlib.sha256(body).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(body)}\n".encode()
        lfs = {"oid": digest, "size": len(body), "pointerSize": len(pointer)}
        return {"type": "file", "oid": git_blob(pointer), "size": len(body), "lfs": lfs, "path": path}


def _json(body: object, headers: Mapping[str, str] = {}) -> Answer:
    return Answer(json.dumps(body).encode(), headers={"Content-Type": "application/json", **headers})
