"""Which lines of a repository are taken to name a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit import git
from envkit.models.review import usage
from tests.support.reviewed import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repository")


def lines(repository: Repository, *words: str, commit: str | None = "HEAD") -> list[str]:
    """The lines that name one of some words."""
    found = usage.search(git.repository(repository.project), commit, words)
    return sorted({str(place) for places in found.values() for place in places})


def named(repository: Repository, line: str, word: str) -> bool:
    repository.write("code.py", line + "\n")
    repository.commit()
    return lines(repository, word) == ["code.py:1"]


@pytest.mark.parametrize(
    "line",
    [
        "load('resnet50')",
        "resnet50",
        "zoo.resnet50()",
        "backbone: resnet50  # the usual",
        "f'checkpoints/resnet50_{version}.pdparams'",
        "'resnet50_' + version",
        "checkpoints/resnet50_*.pdparams",
        "resnet50-$VERSION",
        "model=resnet50,",
        "用resnet50。".replace("用", "用 "),
        "resnet50.pdparams",
    ],
)
def test_a_name_is_found_as_a_word_of_its_own(repository: Repository, line: str) -> None:
    assert named(repository, line, "resnet50")


@pytest.mark.parametrize(
    "line",
    ["resnet50_vd", "resnet50-vd", "my_resnet50", "se-resnet50", "resnet501", "resnet50.5", "ResNet50", "resnet5"],
)
def test_a_part_of_another_name_is_not_found(repository: Repository, line: str) -> None:
    assert not named(repository, line, "resnet50")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("load('detector')", True),
        ("backbone: detector", True),
        ("- detector", True),
        ("--model=detector", True),
        ("models/detector/x", True),
        ("the detector is slow", False),
        ("detector = None", False),
    ],
)
def test_a_name_that_could_be_any_word_counts_as_a_value(repository: Repository, line: str, found: bool) -> None:
    assert named(repository, line, "detector") is found


def test_a_file_in_checkpoints_is_found_with_and_without_its_suffix(repository: Repository) -> None:
    repository.write("a.py", "'checkpoints/resnet_v1.pdparams'\n'checkpoints/resnet_v1'\n'resnet_v1.5'\n'resnet_v10'\n")
    repository.commit()
    assert lines(repository, "resnet_v1") == ["a.py:1", "a.py:2"]


def test_registries_locks_changelogs_and_binary_files_are_not_looked_at(repository: Repository) -> None:
    for path in ("models.yaml", "models.lock.yaml", "sub/models.yaml", "CHANGELOG.md", "docs/CHANGES.rst", "LICENSE"):
        repository.write(path, "'resnet50'\n")
    repository.write("weights.bin", b"resnet50\0'resnet50'\n")
    repository.write("configs/a.yml", "a: resnet50\n")
    repository.commit()
    assert lines(repository, "resnet50") == ["configs/a.yml:1"]


def test_documents_are_told_from_code(repository: Repository) -> None:
    for path in ("README", "a.md", "docs/conf.py", "code/docs_of.py", "docs.py", ".github/pull_request_template.md"):
        repository.write(path, "'resnet50'\n")
    repository.commit()
    found = usage.search(git.repository(repository.project), "HEAD", ["resnet50"])["resnet50"]
    assert {place.path: place.is_document for place in found} == {
        "README": True,
        "a.md": True,
        "docs/conf.py": True,
        "code/docs_of.py": False,
        "docs.py": False,
    }


def test_names_of_files_may_be_anything(repository: Repository) -> None:
    for path in (b"caf\xe9.py", "飞桨.py".encode(), b"a b:1.py", b'quote".py', b"tab\t.py"):
        target = os.fsencode(repository.root) + b"/" + path
        with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path in bytes
            file.write("'resnet50'\n")
    repository.commit()
    assert lines(repository, "resnet50") == sorted(
        [r"caf\xe9.py:1", "飞桨.py:1", "a b:1.py:1", 'quote".py:1', "tab\t.py:1"]
    )


def test_the_commit_counts_and_not_what_is_on_the_disk(repository: Repository) -> None:
    repository.write("a.py", "'resnet50'\n")
    repository.commit()
    repository.write("a.py", "\n")
    repository.write("b.py", "'resnet50'\n")
    repository.write(".gitignore", "c.py\n")
    repository.write("c.py", "'resnet50'\n")
    assert lines(repository, "resnet50") == ["a.py:1"]
    assert lines(repository, "resnet50", commit=None) == ["b.py:1"]


def test_settings_of_the_user_for_git_grep_change_nothing(repository: Repository) -> None:
    repository.write("a.py", "'resnet50'\n")
    repository.commit()
    for key, value in (
        ("grep.column", "true"),
        ("grep.lineNumber", "false"),
        ("color.ui", "always"),
        ("grep.patternType", "perl"),
        ("grep.fullName", "false"),
        ("grep.extendedRegexp", "true"),
    ):
        repository.git("config", key, value)
    assert lines(repository, "resnet50") == ["a.py:1"]


def test_nothing_sought_is_nothing_found(repository: Repository) -> None:
    repository.commit()
    assert usage.search(git.repository(repository.project), "HEAD", []) == {}
    assert lines(repository, "resnet50") == []


def test_a_name_is_no_pattern(repository: Repository) -> None:
    repository.write("a.py", "'pp.yolo+'\n'ppxyolo'\n")
    repository.commit()
    assert lines(repository, "pp.yolo+") == ["a.py:1"]


def test_what_envkit_init_wrote_is_not_looked_at(repository: Repository) -> None:
    for path in (".envkit/models.schema.json", "sub/.envkit/x.json", "code.py"):
        repository.write(path, "'resnet50'\n")
    repository.commit()
    assert lines(repository, "resnet50") == ["code.py:1"]


def test_of_many_words_each_is_found(repository: Repository) -> None:
    words = [f"{letter}-{number}" for letter in "abcdefghijklmnopqrstuvwxyz模" * 2 for number in range(20)]
    repository.write("a.py", "".join(f"'{word}' x{word}\n" for word in dict.fromkeys(words)))
    repository.commit()
    found = usage.search(git.repository(repository.project), "HEAD", words)
    assert {word: len(places) for word, places in found.items()} == dict.fromkeys(words, 1)
