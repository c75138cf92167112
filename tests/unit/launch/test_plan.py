"""What a service is given follows from the settings and the machine's facts alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envkit.launch.plan import Facts, plan, shared_memory
from envkit.launch.spec import EnvironmentSpec, Service
from envkit.settings import Owner, Settings

GIB = 1 << 30
USER = Owner(1000, 1001)
SETTINGS = Settings(project=Path("/home/ada/Work Bench"), owner=USER, caller=USER, home=Path("/h"), state=Path("/s"))
FACTS = Facts(image="envkit:1-cpu", host_port=8890, memory=16 * GIB, secrets=Path("/s/secrets"))


def spec(service: Service = "jupyter", settings: Settings = SETTINGS, facts: Facts = FACTS) -> EnvironmentSpec:
    return plan(service, settings, facts)


def test_a_port_is_published_on_loopback_only() -> None:
    assert [(port.host_ip, port.host_port, port.container_port) for port in spec("ssh").ports] == [
        ("127.0.0.1", 8890, 2222)
    ]


def test_the_containers_user_is_the_projects_owner() -> None:
    env = dict(spec().env)
    assert (env["ENVKIT_UID"], env["ENVKIT_GID"]) == ("1000", "1001")


@pytest.mark.parametrize("service", ["jupyter", "ssh"])
def test_secrets_are_named_by_file_and_mounted_read_only(service: Service) -> None:
    planned = spec(service)
    assert all("/run/secrets/" in value for name, value in planned.env if name.endswith("_FILE"))
    assert [mount.read_only for mount in planned.mounts if mount.target == "/run/secrets"] == [True]


def test_only_root_s_own_project_gets_what_an_sshd_of_root_needs() -> None:
    root = replace(SETTINGS, owner=Owner(0, 0))
    assert "SYS_CHROOT" not in spec("ssh").cap_add
    assert "SYS_CHROOT" in spec("ssh", root).cap_add
    assert "/root" in {mount.target for mount in spec("ssh", root).mounts}


def test_models_that_are_links_into_a_store_lead_to_the_same_place_inside() -> None:
    mounts = spec(facts=replace(FACTS, store=Path("/mnt/weights"))).mounts
    (store,) = [mount for mount in mounts if mount.source == "/mnt/weights"]
    assert (store.target, store.read_only) == ("/mnt/weights", True)


def test_the_host_s_certificates_reach_every_program_that_looks_for_them() -> None:
    env = dict(spec(settings=replace(SETTINGS, ca_bundle=Path("/etc/ca.pem"))).env)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
    assert {env[name] for name in names} == {"/etc/envkit/ca.crt"}


def test_a_proxy_s_password_stays_out_of_the_spec() -> None:
    proxies = (("HTTPS_PROXY", "http://ada:pa55@proxy:3128"), ("NO_PROXY", "localhost"))
    assert "pa55" not in repr(spec(settings=replace(SETTINGS, proxies=proxies)))


def test_equal_plans_have_equal_digests_and_any_change_shows() -> None:
    assert spec().digest == spec().digest
    changed = [
        spec(facts=replace(FACTS, host_port=8891)),
        spec(facts=replace(FACTS, image="other")),
        spec(facts=replace(FACTS, gpus="all")),
        spec(settings=replace(SETTINGS, models="off")),
        spec(settings=replace(SETTINGS, owner=Owner(7, 7))),
    ]
    assert len({spec().digest, *(other.digest for other in changed)}) == len(changed) + 1


def test_two_folders_of_one_name_do_not_share_a_container() -> None:
    assert spec().name != spec(settings=replace(SETTINGS, project=Path("/srv/Work Bench"))).name
    assert spec().name.startswith("envkit-work-bench-")


@pytest.mark.parametrize(
    ("memory", "expected"), [(64 * GIB, 16 * GIB), (8 * GIB, 2 * GIB), (6 * GIB, 2 * GIB), (2 * GIB, 1 * GIB)]
)
def test_shared_memory_is_a_quarter_but_enough_for_data_loaders(memory: int, expected: int) -> None:
    assert shared_memory(memory) == expected
