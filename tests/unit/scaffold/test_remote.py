"""Where a repository is published, from the URL of its remote."""

from __future__ import annotations

import pytest

from envkit.scaffold.remote import parse


@pytest.mark.parametrize(
    ("url", "kind", "group"),
    [
        ("https://github.com/acme/ocr.git", "github", "acme"),
        ("git@github.com:acme/ocr.git", "github", "acme"),
        ("ssh://git@gitlab.example.com:2222/ml/vision/ocr", "gitlab", "ml/vision"),
        ("https://user:secret@gitlab.com/ml/vision/ocr/", "gitlab", "ml/vision"),
        ("git@code.example.com:acme/ocr", None, "acme"),
    ],
)
def test_a_remote_names_host_and_group(url: str, kind: str | None, group: str) -> None:
    found = parse(url)
    assert found is not None
    assert (found.kind, found.group) == (kind, group)


@pytest.mark.parametrize(
    "url", ["/srv/git/ocr.git", "../ocr", "file:///srv/git/ocr.git", "ocr", "https://github.com/ocr"]
)
def test_a_path_is_no_host(url: str) -> None:
    assert parse(url) is None
