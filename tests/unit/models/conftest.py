"""A server and a project for every test of the models half, and pip cut off from what this machine configures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.models.transfer.retry import Backoff
from tests.support.model_project import ModelProject
from tests.support.model_server import ModelServer
from tests.support.nginx import Nginx
from tests.support.nginx import serving as nginx_of
from tests.support.pypi_server import PypiServer
from tests.support.pypi_server import serving as pypi_server_of


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    folder = tmp_path / "project"
    folder.mkdir()
    return ModelProject(folder)


@pytest.fixture
def index(server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelServer:
    """The server as the only package index that pip knows."""
    _pip_alone(monkeypatch, tmp_path, server.url("/simple"))
    return server


@pytest.fixture
def pypi_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PypiServer]:
    """A real index as the only one that pip knows, with nothing in it yet."""
    (tmp_path / "wheels").mkdir()
    with pypi_server_of(tmp_path / "wheels", tmp_path / "pypiserver.log") as running:
        _pip_alone(monkeypatch, tmp_path, running.url)
        yield running


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """The machine's nginx, with an empty folder to serve."""
    (tmp_path / "served").mkdir()
    with nginx_of(tmp_path / "served", tmp_path / "nginx") as running:
        yield running


def _pip_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: str) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    monkeypatch.setenv("PIP_INDEX_URL", index)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,127.0.0.2")


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting between tries takes a thousandth of its time; what it would have been is in the list."""
    asked: list[float] = []
    real = Backoff.delay

    def quick(self: Backoff, failures: int, error: object) -> float | None:
        delay = real(self, failures, error)  # type: ignore[arg-type]
        if delay is not None:
            asked.append(delay)
            return delay / 1000
        return None

    monkeypatch.setattr(Backoff, "delay", quick)
    return asked
