"""The host's settings of pip, as a container can use them."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.launch import hostpip


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration file of pip that is the only one, and no variables."""
    import os

    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", None),
        ("global.cert='/etc/ssl/certs/ca.crt'\nglobal.no-cache-dir='true'\n", None),
        ("global.index-url='https://u:p@mirror.test/simple'", "index-url = https://u:p@mirror.test/simple"),
        ("global.extra-index-url='file:///opt/simple'", None),
        (
            "global.extra-index-url='file:///opt/simple https://one.test/simple\\nhttp://two.test/simple'",
            "extra-index-url = https://one.test/simple\n    http://two.test/simple",
        ),
        (":env:.default-timeout='180'", "timeout = 180"),
        ("global.trusted-host='a.test b.test'", "trusted-host = a.test\n    b.test"),
        ("global.proxy='http://proxy.test:3128'", "proxy = http://proxy.test:3128"),
        (
            ":env:.index-url='https://env.test/'\nglobal.index-url='https://global.test/'",
            "index-url = https://env.test/",
        ),
        ("install.timeout='7'\nglobal.timeout='9'", "timeout = 7"),
        ("download.timeout='7'", None),
    ],
)
def test_what_makes_sense_elsewhere_is_kept(listing: str, expected: str | None) -> None:
    assert hostpip.render(listing) == (f"[global]\n{expected}\n" if expected else None)


def test_pip_reads_what_it_wrote(clean: Path) -> None:
    clean.write_text(
        "[global]\nindex-url = https://mirror.test/100%25/simple\nextra-index-url =\n  https://a.test/\n  https://b.test/\n"
    )
    first = hostpip.pip_config()
    assert first
    clean.write_text(first)
    assert hostpip.pip_config() == first
    parsed = configparser.RawConfigParser()
    parsed.read_string(first)
    assert parsed["global"]["index-url"] == "https://mirror.test/100%25/simple"
    assert parsed["global"]["extra-index-url"].split() == ["https://a.test/", "https://b.test/"]


def test_a_machine_without_settings_has_none(clean: Path) -> None:
    clean.write_text("")
    assert hostpip.pip_config() is None


def test_a_file_that_pip_cannot_read_is_named(clean: Path) -> None:
    clean.write_text("no section\n")
    with pytest.raises(InputError, match="pip's configuration cannot be read") as error:
        hostpip.pip_config()
    assert "pip config list" in str(error.value.hint)
