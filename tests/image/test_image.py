"""What is in the image, and what is not."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.image.container import Box, Boxes
from tests.support.model_server import wheel

if TYPE_CHECKING:
    from docker import DockerClient


def said(box: Box, code: int = 0) -> str:
    assert box.wait(120) == code, box.log
    return box.log


def test_paddle_passes_its_own_check(boxes: Boxes) -> None:
    box = boxes.start("python", "-c", "import paddle; paddle.utils.run_check()", expected="WARNING: .*CPU|ccache")
    assert "PaddlePaddle is installed successfully!" in said(box)


def test_what_notebooks_need_is_there_in_versions_that_go_together(boxes: Boxes) -> None:
    check = "import cv2, ipykernel, matplotlib, numpy, PIL, pkg_resources; print(numpy.__version__)"
    version = said(boxes.start("python", "-W", "ignore", "-c", check)).split(".")
    assert (int(version[0]), int(version[1])) < (2, 4)
    assert "No broken requirements found" in said(boxes.start("python3", "-m", "pip", "check"))


def test_a_users_package_goes_to_the_home_folder_and_before_the_images(boxes: Boxes) -> None:
    package = wheel("pillow_of_mine", "1.0", {"PIL/__init__.py": b"print('mine')"})
    project = boxes.folder(files={"pillow_of_mine-1.0-py3-none-any.whl": package})
    box = boxes.start("bash", "-c", "pip install -q --no-index *.whl && python -c 'import PIL'", project=project)
    assert said(box) == "mine\n"


def test_envkit_is_its_model_half(boxes: Boxes) -> None:
    assert said(boxes.start("envkit", "--version")).startswith("envkit ")
    project = boxes.folder(files={"models.yaml": "models: []\n"})
    box = boxes.start("envkit", "up", "jupyter", project=project)
    assert "`envkit up` is not part of the image" in said(box, 4)


def test_envkit_is_compiled_ahead(boxes: Boxes) -> None:
    script = "find /opt/envkit/lib -name '*.py' | wc -l; find /opt/envkit/lib -name '*.pyc' | wc -l"
    sources, compiled = said(boxes.start("bash", "-c", script)).split()
    assert int(sources) == int(compiled) > 10


def test_no_host_key_is_everybodys(boxes: Boxes) -> None:
    assert said(boxes.start("bash", "-c", "shopt -s nullglob; echo /etc/ssh/*_key* /var/lib/envkit/ssh/*")) == "\n"


def test_the_build_left_no_secret_and_no_scraps(boxes: Boxes) -> None:
    script = "shopt -s nullglob; echo /run/secrets/* /build* /var/lib/apt/lists/*Packages* /root/.cache/* /tmp/*"
    assert said(boxes.start("bash", "-c", script)) == "\n"


def test_the_certificates_it_trusts_are_its_distributions(engine: DockerClient, cpu_image: str, boxes: Boxes) -> None:
    # That a build leaves none of the host's is tested with a certificate of its own (test_build.py).
    history = "\n".join(str(layer["CreatedBy"]) for layer in engine.images.get(cpu_image).history())
    assert "BEGIN CERTIFICATE" not in history
    script = "cat /etc/ssl/certs/ca-certificates.crt; echo =====; cat /usr/share/ca-certificates/mozilla/*.crt"
    trusted, packaged = (certificates(part) for part in said(boxes.start("bash", "-c", script)).split("=====\n"))
    assert len(trusted) > 100
    assert trusted == packaged


def certificates(text: str) -> set[str]:
    """The bodies of the certificates in a bundle."""
    return set(re.findall(r"-----BEGIN CERTIFICATE-----\n([^-]+)", text))


def test_the_hosts_certificates_and_pip_settings_reach_every_program(boxes: Boxes) -> None:
    secrets = boxes.folder(1000, {"pip.conf": "[global]\ntimeout = 77\n", "proxy.env": "https_proxy=http://a:b@c:1\n"})
    bundle = boxes.folder(0, {"ca.crt": "a bundle\n"})
    bundle.chmod(0o755)
    volumes = {str(secrets): "/run/secrets:ro", str(bundle / "ca.crt"): "/etc/envkit/ca.crt:ro"}
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
    box = boxes.start("bash", "-c", "env; pip config get global.timeout", volumes=volumes)
    lines = said(box).splitlines()
    for name in names:
        assert f"{name}=/etc/envkit/ca.crt" in lines
    assert "https_proxy=http://a:b@c:1" in lines
    assert lines[-1] == "77"


def test_how_it_starts_and_is_asked(engine: DockerClient, cpu_image: str) -> None:
    config = engine.images.get(cpu_image).attrs["Config"]
    assert config["Entrypoint"] == ["/opt/envkit/entrypoint.sh"]
    assert config["Cmd"] == ["jupyter"]
    assert config["WorkingDir"] == "/workspace"
    assert set(config["ExposedPorts"]) == {"2222/tcp", "8888/tcp"}
    assert config["Healthcheck"]["Test"] == ["CMD", "/opt/envkit/entrypoint.sh", "--health"]
    assert config["Labels"]["io.envkit.variant"] == "cpu"


def test_what_was_typed_is_what_runs(boxes: Boxes) -> None:
    project = boxes.folder(files={"train.py": "import sys; print(sys.argv); sys.exit(7)"})
    box = boxes.start("python", "train.py", "--epochs", "2  3", project=project)
    assert said(box, 7) == "['train.py', '--epochs', '2  3']\n"


def test_its_size_by_layer_group(engine: DockerClient, cpu_image: str, capsys: pytest.CaptureFixture[str]) -> None:
    groups = {
        "Debian packages for Python": "install.sh apt ca-certificates",
        "PaddlePaddle": "paddle-cpu.txt",
        "Debian packages": "install.sh apt ccache",
        "Paddle's environment": "paddle-common.txt",
        "JupyterLab": "jupyter.txt",
        "envkit's environment": "envkit.txt",
        "envkit": "/opt/envkit/lib",
    }
    layers = engine.images.get(cpu_image).history()
    with capsys.disabled():
        for group, mark in groups.items():
            size = sum(int(layer["Size"]) for layer in layers if mark in layer["CreatedBy"])
            assert size, f"no layer for {group}"
            sys.stdout.write(f"\n  {size / 1e6:8.1f} MB  {group}")
