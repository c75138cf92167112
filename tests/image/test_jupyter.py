"""The Jupyter service: a token always and nowhere to be seen, one kernel, no package that breaks it, a quick end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from tests.image.container import Box, Boxes
from tests.support.model_server import wheel
from tests.support.project import USER
from tests.support.wait import until

TOKEN = "a-token-of-the-tests"
TOKEN_FILE = {"jupyter_token": f"{TOKEN}\n"}


def ask(box: Box, path: str, token: str | None = TOKEN, method: str = "GET", **options: Any) -> requests.Response:
    headers = {"Authorization": f"token {token}"} if token else {}
    url = f"http://{box.address(8888)}{path}"
    return requests.request(method, url, headers=headers, timeout=10, allow_redirects=False, **options)


@pytest.fixture
def box(boxes: Boxes) -> Box:
    """JupyterLab with the tests' token, given as the launcher gives it; it will be asked without it."""
    secrets = boxes.folder(files=TOKEN_FILE)
    expected = r"40[34] GET /api/status|wrote error: 'Forbidden'|wrote error: 'Not Found'|Blocking Cross Origin"
    started = boxes.start(
        "jupyter", project=boxes.folder(), volumes={str(secrets): "/run/secrets:ro"}, expected=expected
    )
    return started.answering()


def test_it_answers_with_the_token_only(box: Box) -> None:
    assert ask(box, "/api/status").status_code == 200
    assert ask(box, "/api/status", token=None).status_code == 403
    assert ask(box, "/api/status", token="another").status_code == 403
    assert ask(box, f"/lab?token={TOKEN}", token=None).status_code == 200


def test_the_token_is_in_no_log_no_process_list_and_no_inspection(box: Box) -> None:
    ask(box, f"/lab?token={TOKEN}", token=None)
    ask(box, f"/api/status?token=not-{TOKEN}", token=None)
    box.container.reload()
    command_lines = box.run("sh", "-c", "cat /proc/[0-9]*/cmdline")
    environments = box.run("sh", "-c", "cat /proc/[0-9]*/environ", user=str(USER))
    for place in (box.log, json.dumps(box.container.attrs), command_lines, environments):
        assert TOKEN not in place


def test_a_page_of_another_origin_gets_nothing_through_the_users_browser(box: Box) -> None:
    with requests.Session() as browser:
        browser.get(f"http://{box.address(8888)}/lab?token={TOKEN}", timeout=10)
        url = f"http://{box.address(8888)}/api/status"
        assert browser.get(url, timeout=10).status_code == 200
        answer = browser.get(url, timeout=10, headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 404
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_one_kernel_is_paddles(box: Box) -> None:
    offered = ask(box, "/api/kernelspecs").json()
    assert list(offered["kernelspecs"]) == [offered["default"]] == ["python3"]
    spec = offered["kernelspecs"]["python3"]["spec"]
    assert spec["display_name"].startswith("PaddlePaddle 3.3 (Python 3.")
    assert spec["metadata"]["debugger"] is True
    script = (
        "from jupyter_client.manager import start_new_kernel\n"
        "kernel, client = start_new_kernel(kernel_name='python3', startup_timeout=60)\n"
        "client.execute_interactive('import paddle; print(paddle.__version__)', timeout=60)\n"
        "kernel.shutdown_kernel()\n"
    )
    environ = {"JUPYTER_PATH": "/opt/jupyter/share/jupyter", "HOME": "/home/paddle"}
    said = box.run("/opt/jupyter/bin/python", "-c", script, user=str(USER), environ=environ)
    assert "3.3" in said


def test_a_terminal_has_the_users_environment(box: Box) -> None:
    name = ask(box, "/api/terminals", method="POST").json()["name"]
    assert name in [terminal["name"] for terminal in ask(box, "/api/terminals").json()]
    assert (USER, "/bin/bash -l") in [(uid, args) for uid, _, args in box.processes()]


IDLE = "open('/home/paddle/ran', 'w').close()"
DEAF_AND_BUSY = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {IDLE}\nwhile True: pass"


@pytest.mark.parametrize("code", [IDLE, DEAF_AND_BUSY], ids=["idle", "busy"])
def test_a_stop_is_quick_and_clean(box: Box, code: str) -> None:
    kernel = ask(box, "/api/kernels", method="POST", json={"name": "python3"}).json()["id"]
    ask(box, "/api/terminals", method="POST")
    execute(box, kernel, code)
    began = time.monotonic()
    box.container.stop()
    assert time.monotonic() - began < 3
    assert box.wait() == 0


def execute(box: Box, kernel: str, code: str) -> None:
    """Have a kernel begin to run ``code``, which makes a file `ran`."""
    script = (
        "from jupyter_client import BlockingKernelClient\n"
        f"client = BlockingKernelClient(connection_file='/run/envkit/jupyter/kernel-{kernel}.json')\n"
        "client.load_connection_file()\n"
        "client.start_channels()\n"
        "client.wait_for_ready(timeout=60)\n"
        f"client.execute({code!r})\n"
    )
    box.run("/opt/jupyter/bin/python", "-c", script, user=str(USER), environ={"HOME": "/home/paddle"})
    until(
        lambda: box.container.exec_run(["test", "-e", "/home/paddle/ran"], user=str(USER)).exit_code == 0,
        "the kernel runs it",
    )


def test_another_port_and_address_are_still_found_by_the_health_check(boxes: Boxes) -> None:
    arguments = ("--ServerApp.port=8899", "--ServerApp.base_url=/lab1/")
    box = boxes.start("jupyter", *arguments, project=boxes.folder()).answering()
    assert "http://127.0.0.1:8899/lab1/api" in box.run("/opt/envkit/entrypoint.sh", "--health")


def test_a_token_of_ones_own_is_not_inherited_by_terminals_and_kernels(boxes: Boxes) -> None:
    box = boxes.start("jupyter", project=boxes.folder(), environ={"JUPYTER_TOKEN": TOKEN}).answering()
    assert ask(box, "/api/status").status_code == 200
    (server,) = box.run("pgrep", "-f", "jupyterlab").split()
    assert TOKEN not in box.run("cat", f"/proc/{server}/environ", user=str(USER))


def test_both_ways_to_give_a_token_at_once_are_wrong_input(boxes: Boxes) -> None:
    box = boxes.start("jupyter", environ={"JUPYTER_TOKEN": TOKEN, "JUPYTER_TOKEN_FILE": "/run/secrets/jupyter_token"})
    assert box.wait() == 2
    assert "both JUPYTER_TOKEN and JUPYTER_TOKEN_FILE are set" in box.log


def test_without_a_token_one_is_made_and_kept(boxes: Boxes) -> None:
    home, project = boxes.volume(), boxes.folder()
    kept = "/home/paddle/.local/state/envkit/jupyter_token"
    tokens = []
    for _ in range(2):
        box = boxes.start("jupyter", project=project, volumes={home: "/home/paddle"}).answering()
        assert kept in box.log
        assert box.run("stat", "-c", "%a %u", kept, user=str(USER)).split() == ["600", str(USER)]
        tokens.append(box.run("cat", kept, user=str(USER)))
        assert ask(box, "/api/status", token=tokens[-1]).status_code == 200
        assert tokens[-1] not in box.log
        box.container.stop()
    assert len(tokens[0]) == 48
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("owner", [USER, 0])
def test_a_package_that_breaks_jupyter_does_not_break_the_server(boxes: Boxes, owner: int) -> None:
    broken = b"raise ImportError('broken')"
    names = ("traitlets", "jupyter_server", "tornado")
    wheels = {f"{name}-99-py3-none-any.whl": wheel(name, "99", {f"{name}/__init__.py": broken}) for name in names}
    box = boxes.start("jupyter", project=boxes.folder(owner, files=wheels))
    box.answering()
    install = "pip install --no-index --no-deps *.whl && ! python -c 'import traitlets'"
    box.run("bash", "-c", install, user=str(owner))
    box.container.restart()
    box.answering()
