"""`envkit init`: what it writes, what it leaves, whom it asks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from envkit.errors import InputError
from envkit.models.policy import policy
from envkit.models.registry import registry
from envkit.scaffold import tree
from envkit.scaffold.files import Choices, render, template
from envkit.settings import Owner, load
from tests.support import node
from tests.support.language_server import LanguageServer
from tests.support.project import USER
from tests.support.scaffold import Scaffold

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user's hand")

LAYOUT = {
    ".devcontainer/Dockerfile",
    ".devcontainer/devcontainer.json",
    ".envkit/envkit.schema.json",
    ".envkit/models.schema.json",
    ".github/pull_request_template.md",
    ".github/workflows/models.yml",
    ".gitignore",
    ".gitlab-ci.yml",
    ".gitlab/merge_request_templates/Default.md",
    ".pre-commit-config.yaml",
    "CODEOWNERS",
    "code/README.md",
    "code/train.py",
    "configs/train.json",
    "envkit.yaml",
    "models.lock.yaml",
    "models.yaml",
    "sync_models.py",
}
GITLAB = {path for path in LAYOUT if "gitlab" in path}
GITHUB = {path for path in LAYOUT if "github" in path}


# --- an empty folder ------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_becomes_a_project(scaffold: Scaffold) -> None:
    done = scaffold.init()
    assert set(scaffold.listing()) == LAYOUT
    created = re.findall(r"^created +(\S+)$", done.stdout, re.MULTILINE)
    assert (set(created), len(created)) == (LAYOUT, len(LAYOUT))
    steps = done.stdout.split("next:\n")[1]
    assert [line.strip() for line in steps.splitlines()][:2] == [f"cd {scaffold.path}", "git init"]
    assert re.findall(r"envkit [a-z ]+[a-z]", steps) == ["envkit models add", "envkit models lock", "envkit up jupyter"]


def test_the_current_folder_is_the_default(scaffold: Scaffold) -> None:
    scaffold.path.mkdir()
    done = scaffold.run(sys.executable, "-m", "envkit", "init")
    assert set(scaffold.listing()) == LAYOUT
    assert "cd " not in done.stdout


def test_its_models_are_synced_by_the_command_and_by_the_script(scaffold: Scaffold) -> None:
    scaffold.init()
    scaffold.run(sys.executable, "-m", "envkit", "models", "sync")
    done = subprocess.run(
        [sys.executable, str(scaffold.path / "sync_models.py"), "--dry-run"],
        cwd=scaffold.home,
        env=scaffold.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_ends_as_the_command_does(scaffold: Scaffold) -> None:
    scaffold.init()
    scaffold.write({"models.yaml": "models: 1\n"})
    said = scaffold.run(sys.executable, "sync_models.py", "--dry-run", code=2).stderr
    assert said == scaffold.run(sys.executable, "-m", "envkit", "models", "sync", "--dry-run", code=2).stderr


def test_its_code_runs_and_finds_the_weights_that_the_configuration_names(scaffold: Scaffold) -> None:
    scaffold.init()
    assert "no weights" in scaffold.run(sys.executable, "code/train.py").stdout
    scaffold.write({"configs/other.json": '{"weights": "m_v1.pdparams", "seed": 1, "epochs": 2}'})
    scaffold.write({"checkpoints/m_v1.pdparams": "1234"})
    done = scaffold.run(sys.executable, "code/train.py", "--config", "configs/other.json")
    assert done.stdout == "seed 1, 2 epochs\nfrom m_v1.pdparams, 4 bytes\n"


def test_git_ignores_models_and_runs_and_nothing_else(scaffold: Scaffold) -> None:
    scaffold.init()
    scaffold.git("init")
    scaffold.write({"checkpoints/m_v1/inference.pdiparams": "x", ".envkit/runs/1.json": "{}"})
    scaffold.git("add", "--all")
    assert set(scaffold.git("ls-files").split()) == LAYOUT


def test_the_examples_in_the_registry_are_right(scaffold: Scaffold) -> None:
    scaffold.init()
    text = scaffold.read("models.yaml")
    assert text.startswith("# yaml-language-server: $schema=.envkit/models.schema.json\n")
    assert registry.parse(text).models == ()
    examples = "".join(re.findall(r"^#(  .*\n)", text, re.MULTILINE))
    assert len(registry.parse(f"models:\n{examples}").models) == 3


def test_the_settings_are_the_defaults_written_out(scaffold: Scaffold) -> None:
    scaffold.init()
    assert scaffold.read("envkit.yaml").startswith("# yaml-language-server: $schema=.envkit/envkit.schema.json\n")
    settings = load({"project": str(scaffold.path)}, {"HOME": str(scaffold.home)})
    assert settings.policy == policy.DEFAULT


def test_both_are_right_by_the_schemas_beside_them(scaffold: Scaffold) -> None:
    scaffold.init()
    for name in ("models", "envkit"):
        schema = (sys.executable, "-m", "check_jsonschema", "--schemafile", f".envkit/{name}.schema.json")
        scaffold.run(*schema, f"{name}.yaml")
        scaffold.write({"wrong.yaml": "models: nothing\n"})
        scaffold.run(*schema, "wrong.yaml", code=1)


@pytest.mark.skipif(not node.installed(), reason="scripts/test-tools.sh brings yaml-language-server")
def test_an_editor_finds_the_schemas_without_a_network(scaffold: Scaffold) -> None:
    scaffold.init()
    registry_text = scaffold.read("models.yaml").replace("models: []", "models:\n- name: m\n  source: paddlehug\n")
    with LanguageServer(node.YAML_LANGUAGE_SERVER, scaffold.path) as server:
        assert server.open("envkit.yaml", scaffold.read("envkit.yaml")).marks == []
        (wrong,) = [mark for mark in server.open("models.yaml", registry_text).marks if "paddlehub" in mark["message"]]
    assert registry_text.splitlines()[wrong["range"]["start"]["line"]] == "  source: paddlehug"


def test_a_development_container_is_the_image_with_its_own_entrypoint(scaffold: Scaffold) -> None:
    odd = Scaffold(scaffold.path.with_name('odd "name" \\'), scaffold.home)
    odd.init()
    text = odd.read(".devcontainer/devcontainer.json")
    container = json.loads(re.sub(r"^\s*//.*", "", text, flags=re.MULTILINE))
    assert container["name"] == 'odd "name" \\'
    assert container["workspaceFolder"] == "/workspace"
    assert container["overrideCommand"] is False
    assert container["remoteUser"] == "paddle"
    assert "target=/workspace" in container["workspaceMount"]
    assert any("target=/home/paddle" in mount for mount in container["mounts"])
    dockerfile = odd.read(f".devcontainer/{container['build']['dockerfile']}")
    assert re.search(r"^FROM envkit:\S+-cpu$", dockerfile, re.MULTILINE)


def test_review_templates_ask_for_evidence_metrics_and_licence(scaffold: Scaffold) -> None:
    scaffold.init()
    github = scaffold.read(".github/pull_request_template.md")
    assert github == scaffold.read(".gitlab/merge_request_templates/Default.md")
    assert re.findall(r"^\*\*(\w+)\*\*$", github, re.MULTILINE) == ["Evidence", "Metrics", "Licence", "Bytes"]
    assert github.count("- [ ]") >= 4


def test_a_word_that_nobody_knows_is_not_left_in_a_file() -> None:
    with pytest.raises(KeyError, match="SOMETHING"):
        render(f"{template('gitignore')}@SOMETHING@", {})


# --- what there is already ------------------------------------------------------------------------------------------


def test_the_second_run_changes_nothing(scaffold: Scaffold) -> None:
    scaffold.init()
    before = scaffold.listing()
    done = scaffold.init()
    assert scaffold.listing() == before
    assert (done.stdout, done.stderr) == (f"{len(LAYOUT)} of {len(LAYOUT)} files are as this version writes them\n", "")


def test_what_belongs_to_the_project_is_left_to_it(scaffold: Scaffold) -> None:
    scaffold.init()
    mine = {name: f"{scaffold.read(name)}\n# mine\n" for name in ("models.yaml", "envkit.yaml", "code/train.py")}
    mine["CODEOWNERS"] = re.sub(r"@\w+", "@acme/reviewers", scaffold.read("CODEOWNERS"))
    mine[".gitignore"] = f"{scaffold.read('.gitignore')}*.pyc\n"
    scaffold.write(mine)
    scaffold.init("--force")
    assert {name: scaffold.read(name) for name in mine} == mine


def test_lines_are_added_to_files_of_ones_own_and_shown(scaffold: Scaffold) -> None:
    mine = {".gitignore": "*.pyc\r\n", ".github/CODEOWNERS": "* @all\n"}
    scaffold.write(mine)
    done = scaffold.init("--ci", "github", "--owner", "@acme/models")
    assert not (scaffold.path / "CODEOWNERS").exists()
    assert scaffold.read(".gitignore").startswith("*.pyc\r\n\r\n")
    assert scaffold.read(".gitignore").endswith("/checkpoints/\r\n/.envkit/runs/\r\n")
    assert scaffold.read(".github/CODEOWNERS").startswith("* @all\n")
    assert "/models.lock.yaml @acme/models\n" in scaffold.read(".github/CODEOWNERS")
    assert "+++ b/.gitignore\n" in done.stderr
    assert "+/models.yaml @acme/models\n" in done.stderr
    assert re.findall(r"^extended +(\S+)$", done.stdout, re.MULTILINE) == [".gitignore", ".github/CODEOWNERS"]


def test_without_a_terminal_what_differs_is_left_and_shown(scaffold: Scaffold) -> None:
    scaffold.write({".gitlab-ci.yml": "build:\n  script: make\n"})
    done = scaffold.init("--ci", "both")
    assert scaffold.read(".gitlab-ci.yml") == "build:\n  script: make\n"
    assert set(scaffold.listing()) == LAYOUT
    assert "--- a/.gitlab-ci.yml\n+++ b/.gitlab-ci.yml\n" in done.stderr
    assert "-build:\n-  script: make\n" in done.stderr
    assert "left        .gitlab-ci.yml: differs; --force replaces it\n" in done.stdout


def test_force_replaces_it(scaffold: Scaffold) -> None:
    scaffold.init()
    wanted = scaffold.read(".gitlab-ci.yml")
    scaffold.write({".gitlab-ci.yml": "build:\n  script: make\n"})
    (scaffold.path / ".gitlab-ci.yml").chmod(0o600)
    assert "replaced    .gitlab-ci.yml\n" in scaffold.init("--force").stdout
    assert scaffold.read(".gitlab-ci.yml") == wanted
    assert (scaffold.path / ".gitlab-ci.yml").stat().st_mode & 0o777 == 0o600


def test_a_diff_sends_nothing_to_the_terminal_but_text(scaffold: Scaffold) -> None:
    scaffold.write({"sync_models.py": "# \x1b]0;mine\x07\n"})
    assert "\x1b" not in scaffold.init().stderr


@pytest.mark.parametrize(
    ("typed", "replaced"),
    [
        ("y\nn\n", {"sync_models.py"}),
        ("n\nyes\n", {".gitlab-ci.yml"}),
        ("\n\n", set()),
        ("what\ny\nn\n", {"sync_models.py"}),
        ("a\n", {"sync_models.py", ".gitlab-ci.yml"}),
    ],
    ids=["yes and no", "no and yes", "no by default", "asked again", "all"],
)
def test_at_a_terminal_it_asks_for_each_file_that_differs(scaffold: Scaffold, typed: str, replaced: set[str]) -> None:
    mine = {"sync_models.py": "# mine\n", ".gitlab-ci.yml": "# mine\n"}
    scaffold.write(mine)
    code, shown = scaffold.asked(typed)
    assert code == 0
    assert "-# mine" in shown
    assert "replace sync_models.py? [y]es, [N]o, [a]ll that differ, [q]uit: " in shown
    assert {name for name, text in mine.items() if scaffold.read(name) != text} == replaced
    assert (scaffold.path / "models.yaml").exists()


@pytest.mark.parametrize("typed", ["q\n", "\x04", "y\nq\n"], ids=["quit", "end of input", "second thoughts"])
def test_who_quits_gets_nothing_written(scaffold: Scaffold, typed: str) -> None:
    scaffold.write({"sync_models.py": "# mine\n", ".gitlab-ci.yml": "# mine\n"})
    before = scaffold.listing()
    code, shown = scaffold.asked(typed)
    assert code == 130
    assert shown.endswith("stopped: nothing was written\n")
    assert scaffold.listing() == before


def test_ctrl_c_at_a_question_writes_nothing(scaffold: Scaffold) -> None:
    scaffold.write({"sync_models.py": "# mine\n"})
    before = scaffold.listing()
    ours, theirs = os.openpty()
    with subprocess.Popen(
        scaffold.command(), cwd=scaffold.home, env=scaffold.environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        shown = b""
        while b"[q]uit" not in shown:
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    os.close(ours)
    os.close(theirs)
    assert scaffold.listing() == before


def test_a_registry_of_ones_own_gets_its_first_line_only_if_one_says_so(scaffold: Scaffold) -> None:
    scaffold.write({"models.yaml": "# ours\nmodels: []\n"})
    done = scaffold.init()
    assert "left        models.yaml: differs; --force adds what is missing\n" in done.stdout
    assert scaffold.read("models.yaml") == "# ours\nmodels: []\n"
    assert not (scaffold.path / "models.lock.yaml").exists()
    assert "add to models.yaml? [y]es" in scaffold.asked("y\n")[1]
    head = "# yaml-language-server: $schema=.envkit/models.schema.json\n"
    assert scaffold.read("models.yaml") == f"{head}# ours\nmodels: []\n"


def test_hooks_are_added_to_those_of_ones_own(scaffold: Scaffold) -> None:
    scaffold.write(
        {".pre-commit-config.yaml": "repos:\n- repo: https://example.com/x\n  rev: v1\n  hooks: [{id: x}]\n"}
    )
    assert "left        .pre-commit-config.yaml: differs; --force adds what is missing\n" in scaffold.init().stdout
    scaffold.init("--force")
    repos = yaml.safe_load(scaffold.read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["https://example.com/x", "local"]


# --- saying what would be done --------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing(scaffold: Scaffold) -> None:
    done = scaffold.init("--dry-run")
    assert not scaffold.path.exists()
    assert re.findall(r"^to create +(\S+)$", done.stdout, re.MULTILINE).count("models.yaml") == 1
    scaffold.write({".gitignore": "*.pyc\n", "sync_models.py": "# mine\n"})
    before = scaffold.listing()
    done = scaffold.init("--dry-run")
    assert scaffold.listing() == before
    assert "to extend   .gitignore\n" in done.stdout
    assert "left        sync_models.py: differs; --force replaces it\n" in done.stdout
    assert "-# mine\n" in done.stderr
    assert "to replace  sync_models.py\n" in scaffold.init("--dry-run", "--force").stdout
    assert "[q]uit" not in scaffold.asked("", "--dry-run")[1]


def test_as_json_it_has_each_file_with_its_state_and_diff(scaffold: Scaffold) -> None:
    scaffold.write({"sync_models.py": "# mine\n", ".gitignore": "/checkpoints/\n/.envkit/runs/\n"})
    document = scaffold.json()
    states = {row["path"]: row["state"] for row in document["files"]}
    assert set(states) == LAYOUT
    assert (states["sync_models.py"], states[".gitignore"], states["models.yaml"]) == ("left", "same", "created")
    (differs,) = (row for row in document["files"] if row["state"] == "left")
    assert differs["diff"][:4] == ["--- a/sync_models.py", "+++ b/sync_models.py", "@@ -1 +1,6 @@", "-# mine"]
    assert document["folder"] == str(scaffold.path)
    assert "envkit up jupyter" in document["next"]


# --- whose pipelines, whose review ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "absent", "owner"),
    [
        ("https://github.com/acme/ocr.git", GITLAB, "@acme"),
        ("git@gitlab.example.com:ml/vision/ocr.git", GITHUB, "@ml/vision"),
        ("git@code.example.com:acme/ocr.git", set(), "@acme"),
        ("../elsewhere", set(), "@OWNER"),
    ],
)
def test_the_remote_says_whose_pipelines_and_who_reviews(
    scaffold: Scaffold, url: str, absent: set[str], owner: str
) -> None:
    scaffold.path.mkdir()
    scaffold.git("init")
    scaffold.git("remote", "add", "origin", url)
    done = scaffold.init()
    assert set(scaffold.listing()) == LAYOUT - absent
    assert f"/models.yaml {owner}\n" in scaffold.read("CODEOWNERS")
    assert f"CODEOWNERS: put who is to review models in place of {owner}\n" in done.stdout
    assert "git init" not in done.stdout


@pytest.mark.parametrize(
    ("ci", "there", "written"),
    [
        ("github", ".github/CODEOWNERS", {".github/CODEOWNERS"}),
        ("github", ".gitlab/CODEOWNERS", {"CODEOWNERS"}),
        ("gitlab", ".github/CODEOWNERS", {"CODEOWNERS"}),
        ("gitlab", ".gitlab/CODEOWNERS", {".gitlab/CODEOWNERS"}),
        ("both", "docs/CODEOWNERS", {"docs/CODEOWNERS"}),
        ("both", ".github/CODEOWNERS", {".github/CODEOWNERS", "CODEOWNERS"}),
    ],
)
def test_owners_are_written_where_the_host_reads_them(
    scaffold: Scaffold, ci: str, there: str, written: set[str]
) -> None:
    scaffold.write({there: "* @all\n"})
    scaffold.init("--ci", ci)
    found = (name for name in scaffold.listing() if name.endswith("CODEOWNERS"))
    assert {name for name in found if "/models.yaml " in scaffold.read(name)} == written
    assert scaffold.read(there).startswith("* @all\n")


def test_an_owner_of_ones_own_is_not_called_a_guess(scaffold: Scaffold) -> None:
    scaffold.write({"CODEOWNERS": "/models.yaml @acme\n"})
    scaffold.git("init")
    scaffold.git("remote", "add", "origin", "https://github.com/acme/ocr.git")
    done = scaffold.init()
    assert "/envkit.yaml @acme\n" in scaffold.read("CODEOWNERS")
    assert "put who is to review" not in done.stdout


@pytest.mark.parametrize(
    ("there", "absent"),
    [(".gitlab-ci.yml", GITHUB), (".github/workflows/test.yml", GITLAB), ("README.md", set())],
)
def test_without_a_remote_the_pipelines_that_are_there_say_it(scaffold: Scaffold, there: str, absent: set[str]) -> None:
    scaffold.write({there: "# mine\n"})
    scaffold.init()
    assert set(scaffold.listing()) == (LAYOUT | {there}) - absent


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        (("--ci", "github"), GITLAB),
        (("--ci", "gitlab"), GITHUB),
        (("--ci", "none"), GITHUB | GITLAB | {"CODEOWNERS"}),
        (("--no-devcontainer",), {path for path in LAYOUT if path.startswith(".devcontainer")}),
        (("--no-pre-commit",), {".pre-commit-config.yaml"}),
    ],
)
def test_parts_can_be_left_out(scaffold: Scaffold, options: tuple[str, ...], absent: set[str]) -> None:
    scaffold.init(*options)
    assert set(scaffold.listing()) == LAYOUT - absent


def test_below_the_top_of_a_repository_it_says_what_has_to_move(scaffold: Scaffold) -> None:
    scaffold.path.mkdir()
    scaffold.git("init")
    below = Scaffold(scaffold.path / "models" / "ocr", scaffold.home)
    assert f"move to {scaffold.path}, where alone they are read: " in below.init().stdout


# --- where it may not write -----------------------------------------------------------------------------------------


def test_a_link_that_leads_out_is_not_followed(scaffold: Scaffold, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "folder").mkdir()
    scaffold.path.mkdir()
    (scaffold.path / "sync_models.py").symlink_to(tmp_path / "precious")
    (scaffold.path / "envkit.yaml").symlink_to(tmp_path / "not there")
    (scaffold.path / "code").symlink_to(tmp_path / "folder")
    done = scaffold.init("--force")
    left = re.findall(r"^left +(\S+): a link that leads out of this folder$", done.stdout, re.MULTILINE)
    assert set(left) == {"sync_models.py", "envkit.yaml", "code/README.md", "code/train.py"}
    assert (tmp_path / "precious").read_text() == "precious\n"
    assert not (tmp_path / "not there").exists()
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_link_within_the_folder_stays_one(scaffold: Scaffold) -> None:
    scaffold.write({"docs/owners": "* @all\n"})
    (scaffold.path / "CODEOWNERS").symlink_to("docs/owners")
    scaffold.init()
    assert (scaffold.path / "CODEOWNERS").is_symlink()
    assert scaffold.read("docs/owners").startswith("* @all\n\n")


def _folder(place: Path) -> None:
    place.mkdir()


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _bytes(place: Path) -> None:
    place.write_bytes(b"\xff")


@pytest.mark.parametrize("put", [_folder, _pipe, _bytes])
def test_what_is_no_text_file_is_left(scaffold: Scaffold, put: Callable[[Path], None]) -> None:
    scaffold.path.mkdir()
    put(scaffold.path / "sync_models.py")
    assert re.search(r"^left +sync_models\.py: no ", scaffold.init("--force").stdout, re.MULTILINE)


def test_a_file_in_place_of_the_folder_is_an_input_error(scaffold: Scaffold) -> None:
    scaffold.path.write_text("")
    assert scaffold.init(code=2).stderr == f"{scaffold.path}: not a folder\n"


def test_an_owner_that_is_none_is_an_input_error(scaffold: Scaffold) -> None:
    assert "--owner is 'all of us'" in scaffold.init("--owner", "all of us", code=2).stderr
    assert not scaffold.path.exists()


def test_a_write_that_fails_half_way_leaves_what_there_was(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    with pytest.raises(UnicodeEncodeError):
        tree.write(tmp_path, "models.yaml", "models: []\n" * 100_000 + "\ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("models.yaml", "models: []\n")]


def test_a_link_made_after_the_look_is_not_followed_either(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "demo" / "envkit.yaml").symlink_to("../precious")
    with pytest.raises(InputError, match="leads out"):
        tree.write(tmp_path / "demo", "envkit.yaml", "mine\n")
    assert (tmp_path / "precious").read_text() == "precious\n"


# --- root -----------------------------------------------------------------------------------------------------------


@AS_ROOT
@pytest.mark.parametrize("sudo", [{}, {"SUDO_UID": "1500", "SUDO_GID": "1501"}], ids=["root", "sudo"])
def test_root_writes_as_the_folders_owner(scaffold: Scaffold, tmp_path: Path, sudo: dict[str, str]) -> None:
    _open(tmp_path)
    scaffold.path.mkdir()
    scaffold.git("init")
    scaffold.git("remote", "add", "origin", "git@gitlab.example.com:ml/ocr.git")
    for path in (scaffold.path, *scaffold.path.rglob("*")):
        os.chown(path, USER, USER)
    environ = {**scaffold.environ, **sudo}
    subprocess.run(scaffold.command(), cwd="/", env=environ, check=True, capture_output=True, timeout=60)
    assert {path.lstat().st_uid for path in (scaffold.path, *scaffold.path.rglob("*"))} == {USER}
    assert "/models.yaml @ml\n" in scaffold.read("CODEOWNERS")


@AS_ROOT
def test_root_makes_a_folder_for_who_called_sudo_else_for_the_owner_above(scaffold: Scaffold, tmp_path: Path) -> None:
    _open(tmp_path)
    os.chown(tmp_path, USER, USER)
    scaffold.init()
    assert {path.lstat().st_uid for path in (scaffold.path, *scaffold.path.rglob("*"))} == {USER}
    command = [sys.executable, "-m", "envkit", "init", str(tmp_path / "other" / "deep")]
    environ = {**scaffold.environ, "SUDO_UID": "1500", "SUDO_GID": "1501"}
    subprocess.run(command, cwd="/", env=environ, check=True, capture_output=True, timeout=60)
    found = (tmp_path / "other", *(tmp_path / "other").rglob("*"))
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {(1500, 1501)}


@AS_ROOT
def test_root_writes_nowhere_that_the_owner_could_not(scaffold: Scaffold, tmp_path: Path) -> None:
    _open(tmp_path)
    scaffold.write({"roots/CODEOWNERS": "* @root\n"})
    os.chown(scaffold.path, USER, USER)
    (scaffold.path / "docs").symlink_to("roots")
    done = scaffold.init(code=2)
    assert done.stderr.endswith(f"{scaffold.path}/docs/CODEOWNERS: cannot be written: Permission denied\n")
    assert scaffold.read("roots/CODEOWNERS") == "* @root\n"


@AS_ROOT
def test_rights_come_back_after_an_error() -> None:
    seen = []
    with suppress(RuntimeError), tree.acting_as(Owner(USER, USER)):
        seen.append((os.geteuid(), os.getegid()))
        raise RuntimeError
    assert seen == [(USER, USER)]
    assert (os.geteuid(), os.getegid()) == (0, 0)


def _open(folder: Path) -> None:
    """Let an ordinary user through to a temporary folder of root's."""
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)


def test_a_name_that_json_would_escape_is_escaped() -> None:
    words = Choices('a"b', (), "@x", "p", "i", "g", {}, "").words
    assert json.loads(f'"{words["NAME"]}"') == 'a"b'
