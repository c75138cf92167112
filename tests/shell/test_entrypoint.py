"""The functions of entrypoint.sh and of the services' start steps, sourced and called one by one.

What they do together, in a container, is in ``tests/image``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.project import REPOSITORY

Call = Callable[..., subprocess.CompletedProcess[str]]

PASSWD = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nstaff:x:50:\n"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Sources the scripts with every path of theirs moved below ``tmp_path``, and runs shell code."""
    for name in ("run", "secrets", "workspace", "host_keys", "home"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    moved = {
        "lib": REPOSITORY,
        "workspace": tmp_path / "workspace",
        "run_dir": tmp_path / "run",
        "secrets": tmp_path / "secrets",
        "ca_bundle": tmp_path / "ca.crt",
        "host_keys": tmp_path / "host_keys",
        "passwd": tmp_path / "passwd",
        "group": tmp_path / "group",
    }
    paths = "\n".join(f"{name}={shlex.quote(str(path))}" for name, path in moved.items())

    def run(code: str, environ: Mapping[str, str] | None = None, sourced: str = "") -> subprocess.CompletedProcess[str]:
        also = f"source {REPOSITORY / sourced}" if sourced else ""
        script = f"source {REPOSITORY / 'entrypoint.sh'}\n{paths}\n{also}\n{code}"
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **(environ or {})}
        return subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.parametrize("script", ["entrypoint.sh", "sshd/start.sh", "jupyter/start.sh"])
def test_sourcing_runs_nothing(script: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"source {REPOSITORY / script}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout + done.stderr == ""


class TestOwner:
    def test_is_the_one_named(self, call: Call) -> None:
        done = call("owner_uid; owner_gid 1234", {"ENVKIT_UID": "1234", "ENVKIT_GID": "5678"})
        assert done.stdout.split() == ["1234", "5678"]

    def test_is_the_folders_where_none_is_named(self, call: Call, tmp_path: Path) -> None:
        folder = (tmp_path / "workspace").stat()
        assert call("owner_uid").stdout.split() == [str(folder.st_uid)]

    def test_the_group_of_a_user_who_does_not_own_the_folder_has_the_users_number(self, call: Call) -> None:
        assert call("owner_gid 1234").stdout.split() == ["1234"]

    @pytest.mark.parametrize("wrong", ["me", "-1", "1.5", "0x10", "12345678901", "007", "1 2"])
    def test_must_be_a_number(self, call: Call, wrong: str) -> None:
        done = call("owner_uid", {"ENVKIT_UID": wrong})
        assert done.returncode == 2
        assert f"ENVKIT_UID is '{wrong}'" in done.stderr
        assert "failed" not in done.stderr


class TestAddUser:
    def test_comes_before_an_entry_of_the_same_number(self, call: Call, tmp_path: Path) -> None:
        assert call("add_user 33 50").returncode == 0
        assert (tmp_path / "passwd").read_text().startswith("paddle:x:33:50:PaddlePaddle:/home/paddle:/bin/bash\nroot:")
        assert "www-data" in (tmp_path / "passwd").read_text()

    def test_uses_a_group_that_is_there(self, call: Call, tmp_path: Path) -> None:
        call("add_user 33 50")
        assert (tmp_path / "group").read_text() == GROUP

    def test_makes_a_group_that_is_not(self, call: Call, tmp_path: Path) -> None:
        call("add_user 33 1234")
        assert (tmp_path / "group").read_text() == f"{GROUP}paddle:x:1234:\n"

    def test_twice_is_once(self, call: Call, tmp_path: Path) -> None:
        call("add_user 1234 1234; add_user 4321 4321")
        entries = (tmp_path / "passwd").read_text().splitlines()
        assert [entry for entry in entries if entry.startswith("paddle:")] == entries[:1]
        assert (tmp_path / "group").read_text() == f"{GROUP}paddle:x:4321:\n"


class TestGiveFolder:
    def test_leaves_the_folder_of_its_user_as_it_is(self, call: Call, tmp_path: Path) -> None:
        folder = tmp_path / "home"
        folder.chmod(0o755)
        assert call(f"give_folder {folder} {folder.stat().st_uid or 1} 1").returncode == 0
        assert folder.stat().st_mode & 0o777 == (0o755 if os.geteuid() else 0o700)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_gives_away_what_is_roots_and_nothing_in_it(self, call: Call, tmp_path: Path) -> None:
        folder = tmp_path / "home"
        (folder / "inside").touch()
        assert call(f"give_folder {folder} 1234 4321").returncode == 0
        found = folder.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 4321, 0o700)
        assert (folder / "inside").stat().st_uid == 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_refuses_what_is_anothers(self, call: Call, tmp_path: Path) -> None:
        folder = tmp_path / "home"
        os.chown(folder, 1234, 1234)
        done = call(f"give_folder {folder} 4321 4321")
        assert done.returncode == 2
        assert f"{folder} belongs to uid 1234, but the project's owner is uid 4321" in done.stderr
        assert folder.stat().st_uid == 1234


class TestSecret:
    CODE = "secret JUPYTER_TOKEN jupyter_token; printf '%s' \"${JUPYTER_TOKEN-gone}${JUPYTER_TOKEN_FILE-gone}\""

    def test_is_the_variables_value(self, call: Call, tmp_path: Path) -> None:
        done = call(self.CODE, {"JUPYTER_TOKEN": "given"})
        assert done.stdout == "gonegone"
        written = tmp_path / "run/jupyter_token"
        assert written.read_text() == "given\n"
        assert written.stat().st_mode & 0o777 == 0o600

    def test_is_the_named_files_content(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("from a file\n")
        done = call(self.CODE, {"JUPYTER_TOKEN_FILE": str(tmp_path / "file")})
        assert done.stdout == "gonegone"
        assert (tmp_path / "run/jupyter_token").read_text() == "from a file\n"

    def test_is_else_the_mounted_secret(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "secrets/jupyter_token").write_text("mounted")
        call(self.CODE, {"JUPYTER_TOKEN": ""})
        assert (tmp_path / "run/jupyter_token").read_text() == "mounted\n"

    def test_both_forms_are_an_error(self, call: Call) -> None:
        done = call(self.CODE, {"JUPYTER_TOKEN": "given", "JUPYTER_TOKEN_FILE": "/dev/null"})
        assert done.returncode == 2
        assert "both JUPYTER_TOKEN and JUPYTER_TOKEN_FILE are set" in done.stderr

    def test_a_file_that_is_empty_or_missing_is_an_error(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "file").write_text(" \n")
        for path, what in ((tmp_path / "file", "empty"), (tmp_path / "nowhere", "not readable")):
            done = call(self.CODE, {"JUPYTER_TOKEN_FILE": str(path)})
            assert done.returncode == 2
            assert f"{path}: {what}" in done.stderr

    def test_none_at_all_is_for_the_caller_to_say(self, call: Call) -> None:
        assert call("if secret JUPYTER_TOKEN jupyter_token; then echo found; else echo none; fi").stdout == "none\n"


class TestSessionEnvironment:
    def test_has_what_paddle_needs_and_nothing_else(self, call: Call) -> None:
        kept = {
            "ENVKIT_IMAGE": "i",
            "ENVKIT_IMAGE_ID": "sha256:1",
            "LD_LIBRARY_PATH": "/cuda",
            "FLAGS_x": "1",
            "PADDLE_Y": "2",
            "CUDA_Z": "3",
            "https_proxy": "p",
        }
        done = call(
            "session_environment",
            {**kept, "AWS_SECRET_ACCESS_KEY": "s", "JUPYTER_TOKEN": "t", "MY_PATH": "m", "ENVKIT_TOKEN_x": "t"},
        )
        names = {line.split("=")[0].removeprefix("export ") for line in done.stdout.splitlines()}
        assert names == {*kept, "PATH"}

    def test_can_be_sourced_whatever_the_values_are(self, call: Call) -> None:
        odd = "two words, \"a quote\", an 'apostrophe', a $dollar, a back\\slash,\na line"
        code = 'lines=$(session_environment); unset FLAGS_odd; eval "$lines"; printf %s "$FLAGS_odd"'
        assert call(code, {"FLAGS_odd": odd}).stdout == odd

    def test_is_one_line_for_sshd_with_quotes_kept(self, call: Call) -> None:
        environ = {"FLAGS_a": 'say "x\\y"', "FLAGS_b": "two\nlines", "PATH": os.environ["PATH"]}
        done = call("set_env", environ, sourced="sshd/start.sh")
        assert done.stdout == f'SetEnv "FLAGS_a=say \\"x\\\\y\\"" "PATH={os.environ["PATH"]}"\n'


class TestHooks:
    def test_run_by_name_and_only_scripts(self, call: Call, tmp_path: Path) -> None:
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        for name in ("20-b.sh", "10-a.sh", "README"):
            (hooks / name).write_text(f"echo {name}")
        assert call(f"run_hooks {hooks}").stdout.split() == ["10-a.sh", "20-b.sh"]

    def test_one_that_fails_ends_the_start(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "bad.sh").write_text("exit 9")
        done = call(f"run_hooks {tmp_path}; echo went on")
        assert done.returncode == 2
        assert f"{tmp_path}/bad.sh failed with exit code 9" in done.stderr
        assert done.stdout == ""

    def test_no_folder_is_no_hooks(self, call: Call, tmp_path: Path) -> None:
        assert call(f"run_hooks {tmp_path}/nowhere; echo went on").stdout == "went on\n"


class TestSyncModels:
    @pytest.fixture
    def registry(self, tmp_path: Path) -> None:
        (tmp_path / "workspace").mkdir()
        (tmp_path / "workspace/models.yaml").write_text("models: []\n")

    SYNC_FAILS = "envkit() { return 3; }; sync_models; echo went on"

    def test_a_project_without_models_has_none_to_sync(self, call: Call) -> None:
        assert call(self.SYNC_FAILS).stdout == "went on\n"

    @pytest.mark.usefixtures("registry")
    def test_a_failure_ends_the_start_with_its_own_exit_code(self, call: Call) -> None:
        done = call(self.SYNC_FAILS)
        assert (done.returncode, done.stdout) == (3, "")
        assert "not started: the models are not what models.yaml says" in done.stderr

    @pytest.mark.usefixtures("registry")
    def test_standard_output_is_left_to_the_command(self, call: Call) -> None:
        done = call("envkit() { echo models: 1 verified; }; sync_models; echo went on")
        assert (done.stdout, done.stderr) == ("went on\n", "models: 1 verified\n")

    @pytest.mark.usefixtures("registry")
    @pytest.mark.parametrize("mode", ["warn", "off"])
    def test_a_relaxed_mode_goes_on_and_says_so(self, call: Call, mode: str) -> None:
        done = call(self.SYNC_FAILS, {"ENVKIT_MODELS": mode})
        assert done.stdout == "went on\n"
        assert f"envkit: WARNING: ENVKIT_MODELS={mode}" in done.stderr


class TestNoteStart:
    @pytest.fixture
    def program(self, tmp_path: Path) -> dict[str, str]:
        """`envkit` as a script that writes its arguments down and then does what a test says; its environment."""
        (tmp_path / "workspace/models.yaml").write_text("models: []\n")
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin/envkit"
        program.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" >{tmp_path}/called\neval "$DO"\n')
        program.chmod(0o755)
        return {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}

    def test_names_the_service_and_the_arguments_as_they_are(
        self, call: Call, tmp_path: Path, program: dict[str, str]
    ) -> None:
        done = call("note_start command sh -c 'two words' --", {**program, "DO": "echo seen; echo warned >&2"})
        words = ["--project", f"{tmp_path}/workspace", "snapshot", "--start", "command", "--", "sh", "-c", "two words"]
        assert (tmp_path / "called").read_text().splitlines() == [*words, "--"]
        assert done.stdout + done.stderr == ""

    @pytest.mark.parametrize(
        ("do", "said"),
        [
            (
                "echo 'a file: cannot be written: why' >&2; echo '  a hint' >&2; exit 2",
                "a file: cannot be written: why",
            ),
            ("exit 124", "that took more than 20 seconds"),
            ("kill -9 $$", "that took more than 20 seconds"),
        ],
    )
    def test_a_failure_is_one_line_and_stops_nothing(
        self, call: Call, program: dict[str, str], do: str, said: str
    ) -> None:
        done = call("note_start jupyter jupyter; echo went on", {**program, "DO": do})
        assert done.stdout == "went on\n"
        assert done.stderr == f"envkit: this start is not noted: {said}\n"

    def test_a_folder_without_a_registry_is_no_project(
        self, call: Call, tmp_path: Path, program: dict[str, str]
    ) -> None:
        (tmp_path / "workspace/models.yaml").unlink()
        assert call("note_start command true; echo went on", program).stdout == "went on\n"
        assert not (tmp_path / "called").exists()


class TestHostKeys:
    def test_are_made_once(self, call: Call, tmp_path: Path) -> None:
        def keys() -> dict[str, bytes]:
            return {path.name: path.read_bytes() for path in (tmp_path / "host_keys").iterdir()}

        assert call("make_host_keys", sourced="sshd/start.sh").returncode == 0
        made = keys()
        assert sorted(made) == [f"ssh_host_{kind}_key{end}" for kind in ("ecdsa", "ed25519") for end in ("", ".pub")]
        call("make_host_keys", sourced="sshd/start.sh")
        assert keys() == made

    def test_one_left_half_made_is_made_anew(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "host_keys/ssh_host_ed25519_key.new").write_text("half a key")
        (tmp_path / "host_keys/ssh_host_ed25519_key.pub").write_text("of another time")
        assert call("make_host_keys", sourced="sshd/start.sh").returncode == 0
        key = tmp_path / "host_keys/ssh_host_ed25519_key"
        derived = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
        assert key.with_suffix(".pub").read_text().split()[:2] == derived.split()[:2]


def test_an_unexpected_failure_names_its_line(call: Call) -> None:
    done = call("false; echo went on")
    assert done.returncode == 1
    assert "`false` failed" in done.stderr
    assert done.stdout == ""
