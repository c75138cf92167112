"""Archives that nobody thought of: whatever they say, nothing lands elsewhere, and only `ModelError` is raised.

``ENVKIT_FUZZ_EXAMPLES`` is how many archives each test makes up; with it they are others every time.
"""

from __future__ import annotations

import io
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envkit.errors import ModelError
from envkit.models import archive
from tests.support.archives import Zipped, hard_link, raw_zip, symlink, tar, tar_block, with_checksum, zipped
from tests.support.model_project import sha256

Kind = Literal["tar", "zip"]
Sort = Literal["file", "symlink", "hard link", "folder", "pipe"]
EXAMPLES = int(os.environ.get("ENVKIT_FUZZ_EXAMPLES", "0"))
fuzz = settings(
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _small_limits() -> Iterator[None]:
    """No archive here needs more than a mebibyte, and a mistake should not fill the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "_FLOOR", 1 << 20)
        yield


def unpacked(body: bytes, kind: Kind, *paths: str) -> dict[str, bytes] | None:
    """The files by their path below ``into``; None if the archive is refused. Fails on anything else."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        packed, into = folder / "packed", folder / "into"
        packed.write_bytes(body)
        into.mkdir()
        got, said = None, ""
        try:
            got = archive.extract(packed, kind, paths, into, lambda _: None)
        except ModelError as error:
            said = error.message
        assert said.isprintable()
        assert {path.name for path in folder.iterdir()} == {"packed", "into"}
        assert packed.read_bytes() == body
        things = [path for path in into.rglob("*") if not stat.S_ISDIR(path.lstat().st_mode)]
        assert all(stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1 for path in things)
        if got is None:
            return None
        found = {str(path.relative_to(got.folder)): path.read_bytes() for path in things}
        assert [(m.path, m.sha256, m.size) for m in got.files] == [
            (path, sha256(content), len(content)) for path, content in sorted(found.items())
        ]
        return {str(path.relative_to(into)): path.read_bytes() for path in things}


@dataclass(frozen=True)
class Made:
    """A member to be. ``name`` and ``target`` are bytes that need not be text."""

    kind: Sort
    name: bytes
    target: bytes
    body: bytes


ODD = [b"A", b"..", b".", b"", b"\xc3\xa9", b"e\xcc\x81", b"\xff", b"C:", b"x" * 256]
PARTS = st.sampled_from([b"a", b"b", b"c", *ODD])
TAMES = st.lists(st.sampled_from([b"a", b"b", b"c", b"A", b"."]), min_size=1, max_size=3).map(b"/".join)
TRAPS = st.sampled_from([b"/", b"//", b"./", b"../", b"a/../", b"C:", b"\\", b"a\\", b"\xff", b"\0", b"a\0"])
WILD = st.one_of(
    st.builds(lambda trap, name: trap + name, TRAPS, TAMES),
    st.lists(PARTS, min_size=1, max_size=4).map(b"/".join),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=20),
    st.lists(st.sampled_from([b"a", b"/", b"\\", b"..", b"\0", b"\n", b"\x1b"]), max_size=8).map(b"".join),
)
NAMES = st.one_of(TAMES, TAMES, TAMES, WILD)
TAME_TARGETS = st.one_of(TAMES, TAMES.map(lambda name: b"../" + name))
TARGETS = st.one_of(TAME_TARGETS, TAME_TARGETS, WILD)
KINDS = st.sampled_from(["file", "file", "file", "symlink", "hard link", "folder", "pipe"])
MEMBERS = st.lists(st.builds(Made, KINDS, NAMES, TARGETS, st.binary(max_size=20)), max_size=6)


@st.composite
def linked(draw: st.DrawFn) -> list[Made]:
    """Members that get along, in any order: files, and links to files, to links, and now and then in circles."""
    files = draw(st.lists(st.sampled_from(["f", "d/f", "d/e/f", "g/f"]), unique=True, min_size=1))
    links = draw(st.lists(st.sampled_from(["l", "d/l", "d/e/l", "k/l"]), unique=True))
    members = [Made("file", name.encode(), b"", draw(st.binary(max_size=5))) for name in files]
    for name in links:
        kind: Sort = draw(st.sampled_from(["symlink", "hard link"]))
        target = draw(st.sampled_from(files + links))
        if kind == "symlink":
            target = posixpath.relpath(target, posixpath.dirname(name) or ".")
        members.append(Made(kind, name.encode(), target.encode(), b""))
    return draw(st.permutations(members))


def as_tar(members: Sequence[Made], form: int, mode: Literal["w", "w:gz"]) -> bytes:
    types = {
        "file": tarfile.REGTYPE,
        "symlink": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "folder": tarfile.DIRTYPE,
        "pipe": tarfile.FIFOTYPE,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form, errors="surrogateescape") as packed:
        for member in members:
            info = tarfile.TarInfo(member.name.decode("utf-8", "surrogateescape"))
            info.type = types[member.kind]
            info.linkname = member.target.decode("utf-8", "surrogateescape") if "link" in member.kind else ""
            body = member.body if member.kind == "file" else b""
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def as_zip(members: Sequence[Made]) -> bytes:
    modes = {"file": stat.S_IFREG, "symlink": stat.S_IFLNK, "folder": stat.S_IFDIR, "pipe": stat.S_IFIFO}
    return raw_zip(
        Zipped(member.name, member.target if member.kind == "symlink" else member.body, modes[member.kind])
        for member in members
        if member.kind != "hard link"
    )


def meant(members: Sequence[Made]) -> dict[str, bytes]:
    """What the members are, said by other means: the last word of `posixpath` on names, and links followed in turn."""
    files = {posixpath.normpath(m.name.decode()): m.body for m in members if m.kind == "file"}
    links = {}
    for member in members:
        path = posixpath.normpath(member.name.decode())
        if member.kind == "symlink":
            links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.target.decode()))
        elif member.kind == "hard link":
            links[path] = posixpath.normpath(member.target.decode())
    for _ in members:
        files |= {path: files[target] for path, target in links.items() if target in files}
    return files


def is_cut_by_nul(members: Sequence[Made]) -> bool:
    """Whether a tar cannot say these names: its fields end at the first NUL."""
    return any(b"\0" in text for member in members for text in (member.name, member.target))


def is_folder_by_name(members: Sequence[Made]) -> bool:
    return any(member.name.endswith(b"/") for member in members if member.kind != "folder")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
@fuzz
@given(members=st.one_of(MEMBERS, linked()), mode=st.sampled_from(["w", "w:gz"]))
def test_any_names_in_a_tar(form: int, members: list[Made], mode: Literal["w", "w:gz"]) -> None:
    found = unpacked(as_tar(members, form, mode), "tar")
    if found is not None and not is_cut_by_nul(members) and not is_folder_by_name(members):
        assert found == meant(members)


@fuzz
@given(members=st.one_of(MEMBERS, linked()))
def test_any_names_in_a_zip(members: list[Made]) -> None:
    found = unpacked(as_zip(members), "zip")
    if found is not None and not is_folder_by_name(members):
        assert found == meant([member for member in members if member.kind != "hard link"])


@fuzz
@given(members=linked(), paths=st.lists(st.sampled_from(["f", "l", "d", "d/e", "k", "g/f"]), min_size=1, max_size=2))
def test_any_paths_out_of_one_with_links(members: list[Made], paths: list[str]) -> None:
    found = unpacked(as_tar(members, tarfile.PAX_FORMAT, "w"), "tar", *paths)
    if found is not None:
        everything = meant(members)
        places = [(name, root) for name in everything for root in paths if f"{name}/".startswith(f"{root}/")]
        assert found == {
            posixpath.basename(name) if name == root else posixpath.relpath(name, root): everything[name]
            for name, root in places
        }


TREE = (("m/a", b"1" * 700), ("m/sub/b", bytes(range(256)) * 9), ("m/" + "long-" * 24, b"3"))
LINKS = (symlink("m/link", "sub/b"), hard_link("m/hard", "m/a"))
VALID: dict[str, tuple[Kind, bytes]] = {
    "tar": ("tar", tar(*TREE, *LINKS)),
    "tar.gz": ("tar", tar(*TREE, *LINKS, mode="w:gz")),
    "tar.bz2": ("tar", tar(*TREE, *LINKS, mode="w:bz2")),
    "tar.xz": ("tar", tar(*TREE, *LINKS, mode="w:xz")),
    "zip": ("zip", zipped(*TREE)),
    "raw.zip": ("zip", raw_zip([Zipped(b"m/a", b"1"), Zipped(b"m/b", b"a", stat.S_IFLNK), Zipped(b"m/c", b"3" * 99)])),
}


@pytest.mark.parametrize(("kind", "body"), VALID.values(), ids=VALID)
@fuzz
@given(data=st.data())
def test_any_bytes_of_a_valid_one_changed(kind: Kind, body: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(body)
    places = st.one_of(st.integers(0, len(body) - 1), st.integers(max(0, len(body) - 400), len(body) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)):
        spoilt[place] = value
    unpacked(bytes(spoilt), kind)


@pytest.mark.parametrize(("kind", "body"), VALID.values(), ids=VALID)
@fuzz
@given(data=st.data())
def test_any_prefix_of_a_valid_one(kind: Kind, body: bytes, data: st.DataObject) -> None:
    """It is never taken for whole, but for a tar that lacks nothing but some of the zeros at its end."""
    found = unpacked(body[: data.draw(st.integers(0, len(body) - 1))], kind)
    assert found is None or found == unpacked(body, kind)


HEADER = st.builds(
    lambda kind, size, edits: _edited(tar_block(kind, size), edits),
    st.one_of(
        st.sampled_from([b"0", b"1", b"2", b"5", b"L", b"K", b"x", b"g", b"S", b"X", b"7"]),
        st.binary(min_size=1, max_size=1),
    ),
    st.one_of(st.integers(0, 2000).map(lambda n: b"%011o\0" % n), st.binary(min_size=12, max_size=12)),
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), max_size=4),
)
RECORD = st.builds(
    lambda key, value, more: b"%d %s=%s\n" % (len(key) + len(value) + more, key, value),
    st.sampled_from([b"path", b"linkpath", b"size", b"GNU.sparse.map", b"hdrcharset", b"x", b""]),
    st.one_of(NAMES, st.integers().map(lambda n: b"%d" % n)),
    st.sampled_from([5, 4, 0, 99, -20]),
)
BLOCKS = st.lists(
    st.one_of(
        HEADER,
        st.lists(RECORD, min_size=1, max_size=3).map(lambda rows: _boxed(b"".join(rows))),
        st.binary(max_size=40).map(lambda body: body.ljust(512, b"\0")),
    ),
    max_size=8,
)


def _edited(block: bytes, edits: Sequence[tuple[int, int]]) -> bytes:
    changed = bytearray(block)
    for place, value in edits:
        changed[place] = value
    return with_checksum(bytes(changed))


def _boxed(records: bytes) -> bytes:
    """The records behind the header that they need."""
    return tar_block(b"x", b"%011o\0" % len(records)) + records + bytes(-len(records) % 512)


@fuzz
@given(blocks=BLOCKS)
def test_any_headers_whose_checksums_are_right(blocks: list[bytes]) -> None:
    unpacked(b"".join(blocks) + bytes(1024), "tar")


ZIPPED = st.builds(
    Zipped,
    NAMES,
    st.binary(max_size=40),
    st.sampled_from([0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR, 0xFFFF]),
    st.one_of(st.sampled_from([0, 0x800, 0x8]), st.integers(0, 0xFFFF)),
    st.sampled_from([0, 0, 8, 12, 14, 93]),
    st.binary(max_size=10),
    st.one_of(st.none(), st.integers(0, 300), st.just(0xFFFFFFFF)),
    st.one_of(st.none(), st.integers(0, 300), st.just(0xFFFFFFFF)),
)


@fuzz
@given(members=st.lists(ZIPPED, max_size=4), before=st.binary(max_size=10), after=st.binary(max_size=30))
def test_any_entries_of_a_zip(members: list[Zipped], before: bytes, after: bytes) -> None:
    unpacked(before + raw_zip(members) + after, "zip")


MAGIC = st.sampled_from([b"", b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0", b"]\0\0\x80\0", b"PK\x03\x04"])


@fuzz
@given(magic=MAGIC, body=st.binary(max_size=2000), kind=st.sampled_from(["tar", "zip"]))
def test_any_bytes_at_all(magic: bytes, body: bytes, kind: Kind) -> None:
    unpacked(magic + body, kind)
