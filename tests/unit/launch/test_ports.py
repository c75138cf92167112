"""Which port a service is published on, with real sockets in the way."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from envkit.errors import InputError
from envkit.launch import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


def test_the_next_free_port_is_taken(taken: int) -> None:
    assert ports.settle(None, None, False, taken) > taken


def test_a_port_asked_for_is_not_replaced_by_another(taken: int) -> None:
    with pytest.raises(InputError, match=f"port {taken} is taken"):
        ports.settle(taken, None, False, 8888)


def test_a_running_service_keeps_its_port(taken: int) -> None:
    assert ports.settle(None, taken, True, 8888) == taken
    assert ports.settle(taken, taken, True, 8888) == taken


def test_a_stopped_service_whose_port_was_taken_gets_another(taken: int) -> None:
    assert ports.settle(None, taken, False, taken) > taken
