"""What comes out of an archive, and which archives are refused."""

from __future__ import annotations

import gzip
import io
import secrets
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from envkit.errors import ModelError
from envkit.models import archive
from tests.support.model_project import sha256

Kind = Literal["tar", "zip"]


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Extracts and gives what lies below the folder that was promised; fails if anything lies elsewhere."""

    def run(body: bytes, kind: Kind, *paths: str) -> dict[str, bytes]:
        packed, into = tmp_path / "packed", tmp_path / "into"
        packed.write_bytes(body)
        into.mkdir()
        folder, digests = archive.extract(packed, kind, paths, into, lambda _: None)
        found = {str(path.relative_to(folder)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        assert {name: sha256(content) for name, content in found.items()} == digests
        assert {path.name for path in tmp_path.iterdir()} == {"packed", "into"}
        return found

    return run


def tar(*members: tarfile.TarInfo | tuple[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as packed:
        for member in members:
            info, body = (tarfile.TarInfo(member[0]), member[1]) if isinstance(member, tuple) else (member, b"")
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in members:
            packed.writestr(name, body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def encrypted(body: bytes) -> bytes:
    """The same zip with the flag for encryption set in both headers of its one member."""
    central = body.index(b"PK\x01\x02")
    flagged = bytearray(body)
    flagged[6] |= 1
    flagged[central + 8] |= 1
    return bytes(flagged)


TREE = (("m/det/a", b"1"), ("m/det/sub/b", b"2"), ("m/keys.txt", b"3"), ("m/detail", b"4"))
PACKED = [
    ("tar", tar(*TREE)),
    ("tar", tar(*TREE, mode="w:gz")),
    ("tar", tar(*TREE, mode="w:xz")),
    ("zip", zipped(*TREE)),
]


@pytest.mark.parametrize(("kind", "body"), PACKED, ids=["tar", "gz", "xz", "zip"])
@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ((), {"det/a": b"1", "det/sub/b": b"2", "keys.txt": b"3", "detail": b"4"}),
        (("m/det",), {"a": b"1", "sub/b": b"2"}),
        (("m/det/", "m/keys.txt"), {"a": b"1", "sub/b": b"2", "keys.txt": b"3"}),
        (("./m/det/sub/b",), {"b": b"2"}),
    ],
)
def test_folders_give_their_contents_and_files_themselves(
    unpack: Callable[..., dict[str, bytes]], kind: Kind, body: bytes, paths: tuple[str, ...], expected: dict[str, bytes]
) -> None:
    assert unpack(body, kind, *paths) == expected


def test_only_a_single_folder_around_everything_is_taken_away(unpack: Callable[..., dict[str, bytes]]) -> None:
    assert unpack(tar(("m/a", b"1"), ("n/b", b"2")), "tar") == {"m/a": b"1", "n/b": b"2"}


def test_a_file_on_the_top_level_stays(unpack: Callable[..., dict[str, bytes]]) -> None:
    assert unpack(tar(("./a", b"1")), "tar") == {"a": b"1"}


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("tar", tar(("../out", b"x")), "'../out' leads out of it"),
        ("tar", tar(("m/../../out", b"x")), "leads out of it"),
        ("tar", tar(("/tmp/out", b"x")), "'/tmp/out' leads out of it"),  # noqa: S108
        ("tar", tar(("a\\..\\out", b"x")), "leads out of it"),
        ("tar", tar(special("link", tarfile.SYMTYPE, "/etc/passwd")), "'link' is a link or a device"),
        ("tar", tar(special("link", tarfile.SYMTYPE, ".."), ("link/out", b"x")), "is a link or a device"),
        ("tar", tar(special("link", tarfile.LNKTYPE, "../../secret")), "is a link or a device"),
        ("tar", tar(special("null", tarfile.CHRTYPE)), "is a link or a device"),
        ("tar", tar(special("pipe", tarfile.FIFOTYPE)), "is a link or a device"),
        ("tar", tar(("a", b"1"), ("a", b"2")), "two members would be a"),
        ("tar", tar(("a", b"1"), ("a/b", b"2")), "two members would be a/b"),
        ("tar", tar(("a/b", b"1"), ("a", b"2")), "two members would be a"),
        ("zip", zipped(("../out", b"x")), "leads out of it"),
        ("zip", zipped(("/tmp/out", b"x")), "leads out of it"),  # noqa: S108
        ("zip", zipped(zip_link("link", "/etc/passwd")), "'link' is a link or a device"),
        ("zip", encrypted(zipped(("a", b"x"))), "'a' is encrypted"),
    ],
)
def test_an_archive_that_reaches_out_is_refused(
    unpack: Callable[..., dict[str, bytes]], tmp_path: Path, kind: Kind, body: bytes, why: str
) -> None:
    with pytest.raises(ModelError, match="the archive is refused: ") as raised:
        unpack(body, kind)
    assert why in raised.value.message
    assert not (tmp_path / "out").exists()


def test_what_is_refused_is_refused_outside_the_wanted_folder_too(unpack: Callable[..., dict[str, bytes]]) -> None:
    with pytest.raises(ModelError, match="leads out of it"):
        unpack(tar(("../out", b"x"), ("m/a", b"1")), "tar", "m")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_refused_before_it_fills_the_disk(
    unpack: Callable[..., dict[str, bytes]], tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_FLOOR", 1 << 20)
    zeros = ("zeros", bytes(64 << 20))
    with pytest.raises(ModelError, match="unpacks to far more"):
        unpack(tar(zeros, mode="w:gz") if kind == "tar" else zipped(zeros), kind)
    assert (tmp_path / "into" / "zeros").stat().st_size < 4 << 20


def test_so_is_one_of_too_many_files(unpack: Callable[..., dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_MEMBERS", 3)
    with pytest.raises(ModelError, match="more than 3 members"):
        unpack(tar(*TREE), "tar")


@pytest.mark.parametrize(("kind", "body"), PACKED, ids=["tar", "gz", "xz", "zip"])
def test_a_damaged_archive_is_told_as_such(unpack: Callable[..., dict[str, bytes]], kind: Kind, body: bytes) -> None:
    with pytest.raises(ModelError):
        unpack(body[: len(body) // 2][:700], kind)


def spoilt_bz2() -> bytes:
    body = bytearray(tar(("a", secrets.token_bytes(3 << 20)), mode="w:bz2"))
    body[1 << 20 : (1 << 20) + 100] = bytes(100)
    return bytes(body)


def spoilt_gzip() -> bytes:
    """Two gzip members that make up a tar, the checksum of the first of them wrong."""
    body = tar(("a", bytes(3 << 20)))
    first, second = gzip.compress(body[: 1 << 20]), gzip.compress(body[1 << 20 :])
    return first[:-8] + bytes(4) + first[-4:] + second


@pytest.mark.parametrize("body", [spoilt_bz2(), spoilt_gzip()], ids=["bz2", "gz"])
def test_damage_that_has_no_exception_of_its_own_is_told_as_such(
    unpack: Callable[..., dict[str, bytes]], body: bytes
) -> None:
    with pytest.raises(ModelError, match="the tar archive cannot be read: "):
        unpack(body, "tar")


def test_what_the_disk_says_is_not_taken_for_damage(
    unpack: Callable[..., dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("envkit.models.archive._Sink.write", full)
    with pytest.raises(OSError, match="No space left on device"):
        unpack(tar(*TREE), "tar")


@pytest.mark.parametrize(("kind", "body"), PACKED, ids=["tar", "gz", "xz", "zip"])
def test_progress_is_how_much_of_the_archive_was_read(tmp_path: Path, kind: Kind, body: bytes) -> None:
    (tmp_path / "packed").write_bytes(body)
    (tmp_path / "into").mkdir()
    read: list[int] = []
    archive.extract(tmp_path / "packed", kind, ("m/keys.txt",), tmp_path / "into", read.append)
    assert sum(read) > 0


def test_what_progress_raises_ends_the_extraction(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(tar(*TREE, mode="w:gz"))
    (tmp_path / "into").mkdir()

    def stop(_: int) -> None:
        raise ModelError("interrupted")

    with pytest.raises(ModelError, match="interrupted"):
        archive.extract(tmp_path / "packed", "tar", (), tmp_path / "into", stop)
    assert list((tmp_path / "into").iterdir()) == []


def test_one_of_the_other_kind_is_told_as_such(unpack: Callable[..., dict[str, bytes]]) -> None:
    with pytest.raises(ModelError, match="the zip archive cannot be read"):
        unpack(tar(*TREE), "zip")


@pytest.mark.parametrize(("kind", "body"), [("tar", tar()), ("zip", zipped())])
def test_an_empty_archive(unpack: Callable[..., dict[str, bytes]], kind: Kind, body: bytes) -> None:
    with pytest.raises(ModelError, match="the archive is empty"):
        unpack(body, kind)


def test_permissions_of_the_archive_are_not_taken_over(unpack: Callable[..., dict[str, bytes]], tmp_path: Path) -> None:
    info = tarfile.TarInfo("run")
    info.mode = 0o6777
    unpack(tar(info), "tar")
    assert stat.S_IMODE((tmp_path / "into" / "run").stat().st_mode) & 0o7111 == 0
