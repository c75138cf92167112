"""What comes out of an archive, and which archives are refused."""

from __future__ import annotations

import gzip
import os
import secrets
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from envkit.errors import ModelError
from envkit.models import archive
from envkit.models.archive import Member
from envkit.models.archives import index, zip_reader
from envkit.models.archives.source import guarded
from tests.support.archives import Zipped, hard_link, raw_zip, special, symlink, tar, tar_block, zipped
from tests.support.model_project import sha256

Kind = Literal["tar", "zip"]
Unpacker = Callable[..., dict[str, bytes]]


@pytest.fixture
def unpack(tmp_path: Path) -> Unpacker:
    """Extracts and gives what lies below the folder that was promised; fails if anything lies elsewhere."""

    def run(body: bytes, kind: Kind, *paths: str) -> dict[str, bytes]:
        packed, into = tmp_path / "packed", tmp_path / "into"
        packed.write_bytes(body)
        into.mkdir()
        got = archive.extract(packed, kind, paths, into, lambda _: None)
        inodes = {path.lstat().st_ino: path for path in into.rglob("*") if stat.S_ISREG(path.lstat().st_mode)}
        found = {str(path.relative_to(got.folder)): path.read_bytes() for path in inodes.values()}
        manifest = [Member(name, sha256(content), len(content)) for name, content in sorted(found.items())]
        assert list(got.files) == manifest
        assert {path.name for path in tmp_path.iterdir()} == {"packed", "into"}
        return found

    return run


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    return zip_special(name, stat.S_IFLNK), target.encode()


def zip_special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


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
    unpack: Unpacker, kind: Kind, body: bytes, paths: tuple[str, ...], expected: dict[str, bytes]
) -> None:
    assert unpack(body, kind, *paths) == expected


def test_only_a_single_folder_around_everything_is_taken_away(unpack: Unpacker) -> None:
    assert unpack(tar(("m/a", b"1"), ("n/b", b"2")), "tar") == {"m/a": b"1", "n/b": b"2"}


def test_a_file_on_the_top_level_stays(unpack: Unpacker) -> None:
    assert unpack(tar(("./a", b"1")), "tar") == {"a": b"1"}


def test_names_that_differ_in_case_or_in_unicode_form_are_two_files(unpack: Unpacker) -> None:
    names = {"K\u00e4se": b"1", "Ka\u0308se": b"2", "k\u00e4se": b"3"}
    assert unpack(tar(*names.items()), "tar") == names


def test_what_the_file_system_takes_for_one_file_is_refused(unpack: Unpacker, tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "A").touch()
    (tmp_path / "packed").write_bytes(tar(("A", b"1")))
    with pytest.raises(ModelError, match="two members would be 'A'"):
        archive.extract(tmp_path / "packed", "tar", (), tmp_path / "into", lambda _: None)


def test_a_path_too_long_for_where_it_should_be_is_refused_by_name(tmp_path: Path) -> None:
    into = tmp_path.joinpath(*["d" * 200] * 18)
    into.mkdir(parents=True)
    name = "/".join(["n" * 200] * 4)
    (tmp_path / "packed").write_bytes(tar((name, b"1")))
    with pytest.raises(ModelError, match=r"'nnn.* is no name for a file here: File name too long"):
        archive.extract(tmp_path / "packed", "tar", (), into, lambda _: None)


LINKED = [
    ("tar", tar(symlink("m/a", "b"), ("m/b", b"1")), {"a": b"1", "b": b"1"}),
    ("tar", tar(("m/b", b"1"), symlink("m/sub/a", "./../b")), {"sub/a": b"1", "b": b"1"}),
    ("tar", tar(symlink("a", "n/b"), symlink("n/b", "../c"), ("c", b"1")), {"a": b"1", "n/b": b"1", "c": b"1"}),
    ("tar", tar(("m/b", b"1"), hard_link("m/sub/a", "m/b")), {"sub/a": b"1", "b": b"1"}),
    ("tar", tar(hard_link("a", "./s"), symlink("s", "n/b"), ("n/b", b"1")), {"a": b"1", "s": b"1", "n/b": b"1"}),
    ("zip", zipped(zip_link("m/a", "b"), ("m/b", b"1")), {"a": b"1", "b": b"1"}),
    ("zip", zipped(("b", b"1"), zip_link("n/a", "../b")), {"n/a": b"1", "b": b"1"}),
]


@pytest.mark.parametrize(("kind", "body", "expected"), LINKED)
def test_a_link_becomes_a_file_of_its_own(
    unpack: Unpacker, kind: Kind, body: bytes, expected: dict[str, bytes]
) -> None:
    assert unpack(body, kind) == expected


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("tar", tar(("blobs/x", b"1"), symlink("m/a", "../blobs/x"), symlink("m/b", "a"), mode="w:gz")),
        ("zip", zipped(("blobs/x", b"1"), zip_link("m/a", "../blobs/x"), zip_link("m/b", "a"))),
    ],
)
def test_a_link_to_what_is_not_wanted_itself_has_its_bytes_too(unpack: Unpacker, kind: Kind, body: bytes) -> None:
    assert unpack(body, kind, "m") == {"a": b"1", "b": b"1"}


def test_a_link_can_be_what_is_wanted(unpack: Unpacker) -> None:
    assert unpack(tar(("m/best_3", b"1"), symlink("m/best", "best_3")), "tar", "m/best") == {"best": b"1"}


def test_what_is_wanted_twice_is_there_twice(unpack: Unpacker) -> None:
    assert unpack(tar(("m/det/a", b"1"), mode="w:gz"), "tar", "m", "m/det") == {"det/a": b"1", "a": b"1"}


def shared_bytes() -> bytes:
    """Two entries for the one member."""
    return raw_zip([Zipped(b"a", b"1"), Zipped(b"a", offset=0, body=b"1")])


def quoted_bytes() -> bytes:
    """The first member has the header of the second among its own bytes, as in https://www.bamsoftware.com/hacks/zipbomb/."""
    inner = Zipped(b"b", b"1" * 64)
    quoted = inner.header(central=False) + inner.body
    offset = len(Zipped(b"a", quoted).header(central=False))
    return raw_zip([Zipped(b"a", quoted), Zipped(b"b", inner.body, offset=offset)])


REFUSED = [
    ("tar", tar(("../out", b"x")), "'../out' leads out of it"),
    ("tar", tar(("m/../../out", b"x")), "'m/../../out' leads out of it"),
    ("tar", tar(("m/../m/in", b"x")), "'m/../m/in' leads out of it"),
    ("tar", tar(("/tmp/out", b"x")), "'/tmp/out' leads out of it"),  # noqa: S108
    ("tar", tar(("a\\..\\out", b"x")), r"'a\\..\\out' leads out of it"),
    ("tar", tar(("C:out", b"x")), "'C:out' leads out of it"),
    ("tar", tar(special("a", tarfile.REGTYPE, path="a\0b")), r"'a\x00b' has a NUL in it"),
    ("tar", tar(("\udcff", b"x")), r"'\udcff' is not valid UTF-8"),
    ("tar", tar(("n" * 256, b"x")), "has a part longer than 255 bytes"),
    ("tar", tar(("\u00fc" * 128, b"x")), "has a part longer than 255 bytes"),
    ("tar", tar(("n/" * 512 + "n", b"x")), "is longer than 1024 bytes"),
    ("tar", tar((".", b"x")), "two members would be ''"),
    ("tar", tar(symlink("link", "/etc/passwd")), "'link' is a link, and its target '/etc/passwd' leads out of it"),
    ("tar", tar(symlink("link", ".."), ("link/out", b"x")), "'link' is a link, and its target '..' leads out of it"),
    ("tar", tar(symlink("m/link", "../../m/a"), ("m/a", b"x")), "its target '../../m/a' leads out of it"),
    ("tar", tar(hard_link("m/link", "../secret")), "'m/link' is a link, and its target '../secret' leads out of it"),
    ("tar", tar(hard_link("link", "/etc/passwd")), "its target '/etc/passwd' leads out of it"),
    ("tar", tar(symlink("m/link", "a")), "'m/link' is a link to a member that is not there, 'm/a'"),
    ("tar", tar(hard_link("m/link", "a"), ("m/a", b"x")), "'m/link' is a link to a member that is not there, 'a'"),
    ("tar", tar(symlink("link", "m"), ("m/a", b"x")), "'link' is a link to a folder, 'm'"),
    ("tar", tar(symlink("m/link", "."), ("m/a", b"x")), "'m/link' is a link to a folder, 'm'"),
    ("tar", tar(symlink("link", "m"), ("m/a", b"x"), ("link/b", b"x")), "'link/b' needs it as a folder"),
    ("tar", tar(symlink("a", "b"), symlink("b", "a")), "'a' is a link that goes in circles"),
    ("tar", tar(hard_link("a", "a")), "'a' is a link that goes in circles"),
    ("tar", tar(*(symlink(f"{n}", f"{n + 1}") for n in range(41)), ("41", b"x")), "'0' is a link that goes in circles"),
    ("tar", tar(special("null", tarfile.CHRTYPE)), "'null' is a device"),
    ("tar", tar(special("sda", tarfile.BLKTYPE)), "'sda' is a device"),
    ("tar", tar(special("pipe", tarfile.FIFOTYPE)), "'pipe' is a pipe"),
    ("tar", tar(special("s", tarfile.GNUTYPE_SPARSE)), "'s' is a sparse file"),
    (
        "tar",
        tar(special("s", tarfile.REGTYPE, GNU__sparse__map="0,1")),
        "'s' is a sparse file",
    ),
    ("tar", tar(special("v", b"V")), "'v' is of the unknown type b'V'"),
    ("tar", tar(("a", b"1"), ("a", b"2")), "two members would be 'a'"),
    ("tar", tar(("m/a", b"1"), ("./m//a", b"2")), "two members would be 'm/a'"),
    ("tar", tar(("a", b"1"), symlink("a", "b"), ("b", b"2")), "two members would be 'a'"),
    ("tar", tar(("a", b"1"), ("a/b", b"2")), "two members would be 'a': 'a/b' needs it as a folder"),
    ("tar", tar(("a/b", b"1"), ("a", b"2")), "two members would be 'a'"),
    ("tar", tar(special("a", tarfile.DIRTYPE), ("a", b"2")), "two members would be 'a'"),
    ("zip", zipped(("../out", b"x")), "'../out' leads out of it"),
    ("zip", zipped(("/tmp/out", b"x")), "'/tmp/out' leads out of it"),  # noqa: S108
    ("zip", raw_zip([Zipped(b"a\0b", b"x")]), r"'a\x00b' has a NUL in it"),
    ("zip", zipped(zip_link("link", "/etc/passwd")), "'link' is a link, and its target '/etc/passwd' leads out of it"),
    ("zip", zipped(zip_link("link", "m/"), ("m/a", b"x")), "'link' is a link to a folder, 'm'"),
    ("zip", raw_zip([Zipped(b"link", b"\xff", stat.S_IFLNK)]), r"its target '\udcff' is not valid UTF-8"),
    ("zip", zipped(zip_link("link", "a/" * 600)), "'link' is a link, and its target has 1200 bytes"),
    ("zip", zipped((zip_special("pipe", stat.S_IFIFO), b"")), "'pipe' is a pipe"),
    ("zip", zipped((zip_special("null", stat.S_IFCHR), b"")), "'null' is a device"),
    ("zip", raw_zip([Zipped(b"a", b"x", flags=0x1)]), "'a' is encrypted"),
    ("zip", raw_zip([Zipped(b"a", b"x", flags=0x40)]), "'a' is encrypted"),
    (
        "zip",
        raw_zip([Zipped(b"a", b"x", method=zipfile.ZIP_LZMA)]),
        "'a' is compressed with method 14",
    ),
    ("zip", raw_zip([Zipped(b"a", b"1"), Zipped(b"./a", b"2")]), "two members would be 'a'"),
    ("zip", shared_bytes(), "'a' shares bytes with another member"),
    ("zip", quoted_bytes(), "'a' shares bytes with another member"),
]


@pytest.mark.parametrize(("kind", "body", "why"), REFUSED, ids=[f"{kind}-{why}" for kind, _, why in REFUSED])
def test_an_archive_that_reaches_out_or_has_more_than_files_is_refused(
    unpack: Unpacker, tmp_path: Path, kind: Kind, body: bytes, why: str
) -> None:
    with pytest.raises(ModelError, match="the archive is refused: ") as raised:
        unpack(body, kind)
    assert why in raised.value.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [("../out", b"x"), symlink("link", "nothing"), special("pipe", tarfile.FIFOTYPE)])
def test_what_is_refused_is_refused_outside_the_wanted_folder_too(
    unpack: Unpacker, bad: tarfile.TarInfo | tuple[str, bytes]
) -> None:
    with pytest.raises(ModelError, match="the archive is refused: "):
        unpack(tar(bad, ("m/a", b"1")), "tar", "m")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_refused_before_it_fills_the_disk(
    unpack: Unpacker, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_FLOOR", 1 << 20)
    zeros = ("zeros", bytes(64 << 20))
    with pytest.raises(ModelError, match="unpacks to far more"):
        unpack(tar(zeros, mode="w:gz") if kind == "tar" else zipped(zeros), kind)
    assert (tmp_path / "into" / "zeros").stat().st_size < 4 << 20


def test_a_bomb_is_refused_though_nobody_wants_it(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_FLOOR", 1 << 20)
    with pytest.raises(ModelError, match="unpacks to far more"):
        unpack(tar(("m/a", b"1"), ("zeros", bytes(64 << 20)), mode="w:gz"), "tar", "m")


def test_links_are_no_way_around_the_limit(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_FLOOR", 1 << 20)
    links = [hard_link(f"link-{n}", "a") for n in range(100)]
    with pytest.raises(ModelError, match="unpacks to far more"):
        unpack(tar(("a", bytes(1 << 16)), *links, mode="w:gz"), "tar")


def test_no_archive_unpacks_to_more_than_the_total(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_TOTAL", 1000)
    with pytest.raises(ModelError, match="unpacks to far more"):
        unpack(zipped(("a", secrets.token_bytes(1001))), "zip")


def test_so_is_one_of_too_many_files(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_MEMBERS", 3)
    with pytest.raises(ModelError, match="more than 3 members"):
        unpack(tar(*TREE), "tar")


def test_folders_count_even_if_they_are_only_implied(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_MEMBERS", 3)
    with pytest.raises(ModelError, match="more than 3 members"):
        unpack(tar(("a/b/c/d", b"1")), "tar")


def test_a_directory_of_too_many_entries_is_not_even_read(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "_MAX_DIRECTORY", 66_000)
    with pytest.raises(ModelError, match=r"has a directory of 1[0-9]{5} bytes"):
        unpack(raw_zip(Zipped(b"%04d" % n) for n in range(2000)), "zip")


HUGE = b"\x80" + b"\0" * 3 + (8 << 30).to_bytes(8, "big")
NEGATIVE = b"\xff" * 10 + b"\xfe\x00"
NINES = b"512 size=" + b"9" * 502 + b"\n"
ABSURD = {
    "name-of-8-GiB": (tar_block(b"L", HUGE), "has a header of 8589934592 bytes"),
    "pax-of-8-GiB": (tar_block(b"x", HUGE), "has a header of 8589934592 bytes"),
    "global-pax-of-8-GiB": (tar_block(b"g", HUGE), "has a header of 8589934592 bytes"),
    "file-of-8-GiB": (tar_block(b"0", HUGE), "cut off"),
    "negative": (tar_block(b"0", NEGATIVE), "'a' has -512 bytes"),
    "negative-header": (tar_block(b"x", NEGATIVE), "has a header of -512 bytes"),
    "pax-digits": (tar_block(b"x", b"%011o\0" % (1 << 19)) + b"1" * (1 << 19), "cannot be read"),
    "pax-length-0": (tar_block(b"x", b"%011o\0" % 512) + b"0 a=b\n".ljust(512, b"\n"), "bad extended header"),
    "pax-size": (
        tar_block(b"x", b"%011o\0" % 512) + NINES + tar_block(b"0", b""),
        "cut off",
    ),
    "pax-chain": (tar_block(b"x", b"") * 20_000, "cut off"),
}


@pytest.mark.parametrize(("body", "why"), ABSURD.values(), ids=ABSURD)
def test_absurd_headers_cost_neither_memory_nor_time(unpack: Unpacker, body: bytes, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        unpack(body, "tar")


@pytest.mark.parametrize(("kind", "body"), PACKED, ids=["tar", "gz", "xz", "zip"])
def test_a_damaged_archive_is_told_as_such(unpack: Unpacker, kind: Kind, body: bytes) -> None:
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


def test_a_tar_without_its_end_is_cut_off_wherever_it_is(unpack: Unpacker) -> None:
    with pytest.raises(ModelError, match="the tar archive cannot be read: it is cut off"):
        unpack(tar(*TREE)[:2048], "tar")


def test_a_damaged_header_is_not_taken_for_the_end(unpack: Unpacker) -> None:
    body = bytearray(tar(*TREE))
    body[1024] ^= 1
    with pytest.raises(ModelError, match="the tar archive cannot be read: bad checksum"):
        unpack(bytes(body), "tar")


def test_the_last_checksum_of_a_compressed_tar_counts(unpack: Unpacker) -> None:
    body = bytearray(tar(*TREE, mode="w:gz"))
    body[-8] ^= 1
    with pytest.raises(ModelError, match="the tar archive cannot be read: CRC check failed"):
        unpack(bytes(body), "tar")


def test_a_zip_that_has_less_than_it_says_is_told_as_such(unpack: Unpacker) -> None:
    """Its checksum is right, so nothing else would tell."""
    body = raw_zip([Zipped(b"a", b"1", size=2)])
    with pytest.raises(ModelError, match="'a' has 1 bytes instead of 2"):
        unpack(body, "zip")


@pytest.mark.parametrize("body", [spoilt_bz2(), spoilt_gzip()], ids=["bz2", "gz"])
def test_damage_that_has_no_exception_of_its_own_is_told_as_such(unpack: Unpacker, body: bytes) -> None:
    with pytest.raises(ModelError, match="the tar archive cannot be read: "):
        unpack(body, "tar")


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), OverflowError("too large"), struct.error("short")])
def test_whatever_a_reader_raises_is_damage(error: Exception) -> None:
    def read() -> Iterator[bytes]:
        raise error
        yield b""

    with pytest.raises(ModelError, match=f"the tar archive cannot be read: {str(error) or type(error).__name__}"):
        next(guarded("tar", read()))


def test_what_the_disk_says_is_not_taken_for_damage(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_one_of_the_other_kind_is_told_as_such(unpack: Unpacker) -> None:
    with pytest.raises(ModelError, match="the zip archive cannot be read"):
        unpack(tar(*TREE), "zip")


@pytest.mark.parametrize(("kind", "body"), [("tar", tar()), ("zip", zipped())])
def test_an_empty_archive(unpack: Unpacker, kind: Kind, body: bytes) -> None:
    with pytest.raises(ModelError, match="the archive is empty"):
        unpack(body, kind)


@pytest.mark.parametrize("body", [tar(special("m", tarfile.DIRTYPE)), tar(special(".", tarfile.DIRTYPE))])
def test_an_archive_of_folders(unpack: Unpacker, body: bytes) -> None:
    with pytest.raises(ModelError, match="the archive has only folders there"):
        unpack(body, "tar")


def test_permissions_of_the_archive_are_not_taken_over(unpack: Unpacker, tmp_path: Path) -> None:
    info, folder = tarfile.TarInfo("m/run"), special("m", tarfile.DIRTYPE)
    info.mode, folder.mode = 0o6777, 0o7000
    before = os.umask(0o022)
    try:
        unpack(tar(folder, info), "tar")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "into" / "m").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "into" / "m" / "run").stat().st_mode) == 0o644
