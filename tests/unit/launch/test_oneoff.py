"""A command's container is a service's, less what only a service needs; and every container is told its image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envkit.launch.plan import Command, Facts, plan, plan_command
from envkit.launch.render.docker_api import create_arguments
from envkit.launch.spec import EnvironmentSpec, Mount
from envkit.settings import Owner, Settings

USER = Owner(1000, 1001)
SETTINGS = Settings(project=Path("/home/ada/bench"), owner=USER, caller=USER, home=Path("/h"), state=Path("/s"))
FACTS = Facts(image="sha256:1", host_port=0, memory=1 << 34, secrets=Path("/run/secrets"))
COMMAND = Command("envkit-x", ("python", "train.py"))


def spec(command: Command = COMMAND, settings: Settings = SETTINGS, facts: Facts = FACTS) -> EnvironmentSpec:
    return plan_command(command, settings, facts)


def test_it_publishes_no_port_and_sees_no_secret() -> None:
    planned = spec(settings=replace(SETTINGS, ca_bundle=Path("/etc/ca.pem")), facts=replace(FACTS, pip_config=True))
    assert planned.ports == ()
    assert "/run/secrets" not in {mount.target for mount in planned.mounts}
    assert not [value for _, value in planned.env if "/run/secrets" in value]
    assert dict(planned.env)["SSL_CERT_FILE"] == "/etc/envkit/ca.crt"


def test_it_runs_as_the_projects_owner_in_the_project() -> None:
    planned = spec(replace(COMMAND, folder="code"))
    assert (dict(planned.env)["ENVKIT_UID"], dict(planned.env)["ENVKIT_GID"]) == ("1000", "1001")
    assert Mount("bind", "/home/ada/bench", "/workspace") in planned.mounts
    assert planned.working_dir == "/workspace/code"
    assert planned.command == ("python", "train.py")


def test_variables_are_handed_over_and_decide_nothing_about_the_container() -> None:
    env = dict(spec(replace(COMMAND, env=(("FLAGS_a", "1"), ("ENVKIT_UID", "0")))).env)
    assert (env["FLAGS_a"], env["ENVKIT_UID"]) == ("1", "1000")


@pytest.mark.parametrize(("owner", "home"), [(USER, "/home/paddle"), (Owner(0, 0), "/root")])
def test_the_home_folder_is_the_volume_named_or_goes_with_the_container(owner: Owner, home: str) -> None:
    settings = replace(SETTINGS, owner=owner)
    assert home not in {mount.target for mount in spec(settings=settings).mounts}
    mounts = spec(replace(COMMAND, home="v"), settings).mounts
    assert Mount("volume", "v", home) in mounts
    assert len({mount.target for mount in mounts}) == len(mounts)


def test_gpus_and_further_mounts_are_as_asked_for() -> None:
    git = Mount("bind", "/home/ada/.git", "/home/ada/.git", read_only=True)
    planned = spec(replace(COMMAND, mounts=(git,)), facts=replace(FACTS, gpus="all"))
    assert git in planned.mounts
    assert planned.gpus == "all"


def test_a_container_is_told_its_image_and_is_not_made_anew_for_that() -> None:
    service = plan("jupyter", SETTINGS, FACTS)
    told = replace(service, image_id="sha256:1", image_digest="r/envkit@sha256:2")
    environment = create_arguments(told)["environment"]
    assert {name: value for name, value in environment.items() if name.startswith("ENVKIT_IMAGE")} == {
        "ENVKIT_IMAGE": "sha256:1",
        "ENVKIT_IMAGE_ID": "sha256:1",
        "ENVKIT_IMAGE_DIGEST": "r/envkit@sha256:2",
    }
    assert told.digest == service.digest
    assert "ENVKIT_IMAGE_DIGEST" not in create_arguments(service)["environment"]
