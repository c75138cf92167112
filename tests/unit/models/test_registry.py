"""`models.yaml` → models, or every problem with its line and column."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from envkit.errors import InputError
from envkit.models.model import Model
from envkit.models.registry import document, keys, registry
from envkit.models.sources import SOURCES
from tests.support.project import REPOSITORY

MD5 = "0123456789abcdef0123456789abcdef"
GOOD = f"""\
models:
  - name: resnet
    version: v1.0
    source: http
    url: https://models.example/resnet.pdparams
    md5: {MD5}
"""


INSIDE = "expected a path inside, from its root"
COMMIT = "c0ffee" + "0" * 34


def parse(text: str) -> registry.Registry:
    return registry.parse(dedent(text))


def only(text: str) -> Model:
    (model,) = parse(text).models
    return model


def complaints(text: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        parse(text)
    return raised.value.message.splitlines()


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_shapes_that_teams_use_are_read_as_they_are() -> None:
    hub, zoo = registry.load(REPOSITORY / "examples" / "models.zoo.yaml").models
    assert (hub.target, hub.artifact.source) == ("resnet50_imagenet_v3.3.0.pdparams", "paddlehub")
    assert (zoo.target, zoo.artifact.source) == ("pp-yolo-tiny_v3.3.1.pdparams", "model_zoo_official")
    assert hub.metadata["accuracy_top1"] == "76.8%"
    assert hub.metadata["input_size"] == [3, 224, 224]
    assert zoo.metadata["config_path"] == "configs/ppyolo/ppyolo_tiny_650e_coco.yml"


def test_the_repositorys_own_models_come_out_of_one_wheel() -> None:
    models = registry.load(REPOSITORY / "models.yaml").models
    assert len({model.artifact for model in models}) == 1
    assert all(model.is_folder and model.artifact.digests.md5 and model.artifact.digests.sha256 for model in models)
    assert [model.target for model in models] == [
        "ch_PP-OCRv4_det_1.4.5",
        "ch_PP-OCRv4_rec_1.4.5",
        "ch_ppocr_mobile_v2_cls_1.4.5",
    ]


@pytest.mark.parametrize(
    ("url", "more", "target"),
    [
        ("https://h/resnet.pdparams", "", "resnet_v1.0.pdparams"),
        ("https://h/resnet.pdparams?sig=a/b.txt", "", "resnet_v1.0.pdparams"),
        ("https://h/model_v1.5", "", "resnet_v1.0"),
        ("https://h/", "", "resnet_v1.0"),
        ("https://h/zoo.tar", "", "resnet_v1.0"),
        ("https://h/zoo.TGZ", "", "resnet_v1.0"),
        ("https://h/zoo.zip", "", "resnet_v1.0"),
        ("https://h/zoo.tar.gz", "unpack: none", "resnet_v1.0.tar.gz"),
        ("https://h/zoo", "unpack: tar", "resnet_v1.0"),
        ("https://h/zoo.tar", "path: zoo/net.pdparams", "resnet_v1.0.pdparams"),
        ("https://h/zoo.tar", "path: zoo/net.infer/", "resnet_v1.0"),
        ("https://h/zoo.tar", "path: zoo/PP-OCRv4", "resnet_v1.0"),
        ("https://h/zoo.tar", "path: [zoo/a.txt, zoo/b.txt]", "resnet_v1.0"),
    ],
)
def test_where_a_model_lands(url: str, more: str, target: str) -> None:
    text = changed("https://models.example/resnet.pdparams", url) + (f"    {more}\n" if more else "")
    assert only(text).target == target


@pytest.mark.parametrize("version", ["1.10", "1e3", "0777", "2026-11-24", "yes", '"3.3"'])
def test_a_version_is_what_is_written(version: str) -> None:
    assert only(changed("v1.0", version)).version == version.strip('"')


def test_digests_may_be_in_capitals_and_all_digits() -> None:
    assert only(changed(MD5, MD5.upper())).artifact.digests.md5 == MD5
    assert only(changed(MD5, "1" * 32)).artifact.digests.md5 == "1" * 32


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "hint"),
    [
        ("    md5:", "    md6:", "6:5", "has unknown key 'md6'", "did you mean 'md5'?"),
        ("version:", "verison:", "3:5", "has unknown key 'verison'", "did you mean 'version'?"),
        ("    url:", "    URL:", "5:5", "has unknown key 'URL'", "did you mean 'url'?"),
        ("    md5:", "    sha-256: x\n    md5:", "6:5", "has unknown key 'sha-256'", "did you mean 'sha256'?"),
        (
            "    md5:",
            "    wieghts_ur: x\n    md5:",
            "6:5",
            "has unknown key 'wieghts_ur'",
            "did you mean 'weights_url'?",
        ),
        ("    md5:", "    index-url: x\n    md5:", "6:5", "has unknown key 'index-url'", "did you mean 'index_url'?"),
        ("    version: v1.0\n", "", "2:5", "has no version", None),
        ("v1.0", "", "3:5", "has a version that is empty", "expected plain text"),
        ("v1.0", "[1, 0]", "3:14", "has a version that is a list", "expected plain text"),
        ("v1.0", "\n      - 1", "3:5", "has a version that is a list", "expected plain text"),
        ("v1.0", "{a: 1}", "3:14", "has a version that is a mapping", "expected plain text"),
        ("v1.0", "../v1", "3:14", "has version '../v1'", "letters, digits and . _ + - only, a letter or digit first"),
        ("v1.0", "\n      ../v1", "4:7", "has version '../v1'", "letters, digits and . _ + - only, a letter or digit"),
        ("v1.0", "a" * 101, "3:14", f"has version '{'a' * 80}'… (101 characters)", "100 bytes are the most"),
        ("v1.0", "latest", "3:14", "has version 'latest', which names no one version, and nothing says which", None),
        ("source: http", "source: htpp", "4:13", "has unknown source 'htpp'", "did you mean 'http'? known sources: "),
        ("source: http", "source: Paddle-Hub", "4:13", "has unknown source 'Paddle-Hub'", "did you mean 'paddlehub'? "),
        ("source: http", "source: model_zoo", "4:13", "has unknown source 'model_zoo'", "did you mean 'model_zoo_off"),
        ("source: http", "source: ftp", "4:13", "has unknown source 'ftp'", "known sources: file, http, huggingface, "),
        ("    source: http\n", "", "2:5", "has no source", "known sources: "),
        (
            "source: http",
            "source: paddlehub",
            "2:5",
            "has no hub_url",
            "source 'paddlehub' goes by 'hub_url', not by 'url'",
        ),
        ("https://models", "ftp://models", "5:10", "has a url that is not an http:// or https:// URL", None),
        ("https://models.example", "https://", "5:10", "has a url that names no host", None),
        ("https://models.example", "https://[", "5:10", "has a url that is not a URL: ", None),
        ("resnet.pdparams", "res net", "5:10", "has a url that has a blank in it: write it as %20", None),
        (MD5, MD5[1:], "6:10", f"has md5 {MD5[1:]!r}", "expected 32 hexadecimal digits, got 31 characters"),
        (MD5, "x" * 32, "6:10", f"has md5 {'x' * 32!r}", "expected 32 hexadecimal digits, got others among them"),
        (MD5, MD5 * 2, "6:10", f"has md5 {MD5 * 2!r}", "expected 32 hexadecimal digits, got 64 characters: did you"),
        (f"md5: {MD5}", "sha256: abc", "6:13", "has sha256 'abc'", "expected 64 hexadecimal digits, got 3 characters"),
        ("    md5:", "    size: 15 MB\n    md5:", "6:11", "has size '15 MB'", "expected a whole number of bytes"),
        (
            "    md5:",
            "    unpack: rar\n    md5:",
            "6:13",
            "has unpack 'rar'",
            "did you mean 'tar'? expected one of: tar, ",
        ),
        ("    md5:", "    unpack: gz\n    md5:", "6:13", "has unpack 'gz'", "expected one of: tar, zip, none"),
        ("    md5:", "    unpack: .tar.gz\n    md5:", "6:13", "has unpack '.tar.gz'", "did you mean 'tar'? "),
        ("    md5:", "    unpack: zpi\n    md5:", "6:13", "has unpack 'zpi'", "did you mean 'zip'? "),
        (
            "    md5:",
            "    path: a\n    md5:",
            "6:11",
            "has a path, but its artifact is no archive",
            "unpack: tar or zip",
        ),
        ("    md5:", "    path:\n    - a\n    md5:", "6:5", "has a path, but its artifact is no archive", None),
        ("    md5:", "    mirrors: [ftp://h/a, '']\n    md5:", "6:15", "has a mirror that is not an http:// or", None),
        ("    md5:", "    mirrors: [https://h/a, '']\n    md5:", "6:14", "has a mirror that is empty", None),
        (".pdparams\n", ".tar\n    path: ../a\n", "6:11", "has path '../a'", INSIDE),
        (".pdparams\n", ".tar\n    path: /a\n", "6:11", "has path '/a'", INSIDE),
        (".pdparams\n", ".tar\n    path: [a, a\\b]\n", "6:15", "has path 'a\\\\b'", INSIDE),
        (".pdparams\n", ".tar\n    path: [a, {}]\n", "6:11", "has path that is a mapping", INSIDE),
        (".pdparams\n", ".tar\n    path: []\n", "6:11", "has an empty list as its path", None),
    ],
)
def test_a_problem_has_its_place_what_was_found_and_the_next_step(
    old: str, new: str, place: str, message: str, hint: str | None
) -> None:
    said = complaints(changed(old, new))
    start = f"models.yaml:{place}: model 'resnet' {message}"
    (found,) = [place for place, text in enumerate(said) if text.startswith(start)]
    assert hint is None or said[found + 1].startswith(f"  {hint}")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", ".hidden", "-rf", "a/b", "a\\b", "a b", "_x", "a\u202eb"])
def test_a_name_cannot_leave_its_folder(name: str) -> None:
    (first, _) = complaints(changed("name: resnet", f"name: {yaml.safe_dump(name).splitlines()[0]}"))
    assert first.startswith(f"models.yaml:2:11: model {name!r} has name {name!r}")


def test_a_name_may_be_of_any_script() -> None:
    assert only(changed("name: resnet", "name: 文字检测")).target == "文字检测_v1.0.pdparams"


@pytest.mark.parametrize("key", ["task", "input_size", "resource", "mode", "notes", "publisher", "metrics", "license"])
def test_other_keys_are_free(key: str) -> None:
    assert only(f"{GOOD}    {key}: {{a: [1, 2.5, true, null, .inf, 2026-01-01]}}\n").metadata == {
        key: {"a": [1, 2.5, True, None, ".inf", "2026-01-01"]}
    }


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    said = complaints(
        """\
        models:
          - name: a
            version: 1
            source: http
            urk: https://h/a
            md5: x
            unpack: tgz
          - just text
          - version: 2
            source: pypi
            package: a>2
          - name: b
            version: 3
            source: pypi
            package: b==3
            sha256: ../
        """
    )
    assert [line for line in said if line.startswith("models.yaml:")] == [
        "models.yaml:2:5: model 'a' has no url",
        "models.yaml:5:5: model 'a' has unknown key 'urk'",
        "models.yaml:6:10: model 'a' has md5 'x'",
        "models.yaml:7:13: model 'a' has unpack 'tgz'",
        "models.yaml:8:5: model #2 is not a mapping, but 'just text'",
        "models.yaml:9:5: model #3 has no name",
        "models.yaml:9:5: model #3 has no path",
        "models.yaml:11:14: model #3 has package 'a>2', which is not of the form NAME or NAME==VERSION",
        "models.yaml:12:5: model 'b' has no path",
        "models.yaml:16:13: model 'b' has sha256 '../'",
    ]


def test_what_is_refused_and_what_occurs_twice_is_told_with_all_the_rest() -> None:
    with pytest.raises(InputError) as raised:
        parse(
            """\
            defaults: &defaults {task: ocr}
            models:
              - name: a
                version: &v 1
                source: !!str http
                url: https://h/a
                url: https://h/b
                md5: short
                more: [{x: 1, y: 2, x: 3}]
              - name: b
                version: *v
                <<: *defaults
                source: http
                url: https://h/b
            metrics:
              top1: {higher_is_better: true, higher_is_better: false}
              top1: {}
            """
        )
    assert [f"{problem.line}:{problem.column} {problem.message}" for problem in raised.value.problems] == [
        "5:13 tags (tag:yaml.org,2002:str) are not read here",
        "7:5 'url' is there twice",
        "8:10 model 'a' has md5 'short'",
        "9:25 'x' is there twice",
        "11:14 aliases (`*name`) are not read here",
        "12:9 aliases (`*name`) are not read here",
        "16:34 'higher_is_better' is there twice",
        "17:3 'top1' is there twice",
    ]
    assert {problem.hint for problem in raised.value.problems if "twice" in problem.message} == {
        "the first is on line 6",
        "the first is on line 9",
        "the first is on line 16",
    }
    assert all(problem.file == "models.yaml" and problem.level == "error" for problem in raised.value.problems)


def hub(*lines: str) -> str:
    return "\n    ".join(["models:\n  - name: ocr", "version: 1", "source: huggingface", *lines]) + "\n"


@pytest.mark.parametrize(
    ("lines", "target", "is_folder", "paths"),
    [
        ([f"revision: {COMMIT}"], "ocr_1", True, ()),
        ([f"revision: {COMMIT.upper()}"], "ocr_1", True, ()),
        ([f"revision: {COMMIT}", "path: onnx/"], "ocr_1", True, ("onnx/",)),
        ([f"revision: {COMMIT}", "path: ./onnx//x/"], "ocr_1", True, ("onnx/x/",)),
        ([f"revision: {COMMIT}", "path: LICENSE"], "ocr_1", True, ("LICENSE",)),
        ([f"revision: {COMMIT}", "path: [a.json, b/]"], "ocr_1", True, ("a.json", "b/")),
        ([f"revision: {COMMIT}", "path: onnx/net.onnx"], "ocr_1.onnx", False, ("onnx/net.onnx",)),
        ([f"revision: {COMMIT}", "path: zoo.tar"], "ocr_1.tar", False, ("zoo.tar",)),
        (["path: [net.onnx]", f"md5: {MD5}"], "ocr_1.onnx", False, ("net.onnx",)),
        (["revision: v1.0", "path: net.onnx", f"md5: {MD5}"], "ocr_1.onnx", False, ("net.onnx",)),
    ],
)
def test_what_a_hub_has_lands_as_what_comes_out_of_an_archive(
    lines: list[str], target: str, is_folder: bool, paths: tuple[str, ...]
) -> None:
    model = only(hub("repo: team/ocr", *lines))
    assert (model.target, model.is_folder, model.unpack) == (target, is_folder, None)
    assert model.paths == model.artifact.paths == paths


def test_a_hubs_locator_has_the_revision_in_it() -> None:
    located = [only(hub("repo: team/ocr", "path: a.txt", f"md5: {MD5}", *more)) for more in ([], ["revision: v1/x"])]
    assert [model.artifact.locator for model in located] == ["team/ocr@main", "team/ocr@v1/x"]
    assert only(hub("repo: team/ocr", f"revision: {COMMIT.upper()}")).artifact.locator == f"team/ocr@{COMMIT}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([f"revision: {COMMIT}"], ["2:5: model 'ocr' has no repo"]),
        (["repo: ocr"], ["5:11: model 'ocr' has repo 'ocr', which is not of the form ORG/NAME"]),
        (["repo: https://h/team/ocr"], ["5:11: model 'ocr' has a repo that is not of the form ORG/NAME"]),
        (["repo: team/../ocr"], ["5:11: model 'ocr' has repo 'team/../ocr', which is not of the form ORG/NAME"]),
        (["repo: team/a--b"], ["5:11: model 'ocr' has repo 'team/a--b', which is not of the form ORG/NAME"]),
        (["repo: -team/ocr"], ["5:11: model 'ocr' has repo '-team/ocr', which is not of the form ORG/NAME"]),
        (
            ["repo: team/ocr", "revision: a b"],
            ["6:15: model 'ocr' has revision 'a b', which is no name of a branch, a"],
        ),
        (["repo: team/ocr", "revision: ../a"], ["6:15: model 'ocr' has revision '../a', which is no name of a branch"]),
        (["repo: team/ocr", "revision:"], ["6:5: model 'ocr' has a revision that is empty"]),
        (
            ["repo: team/ocr", f"revision: {COMMIT}", f"md5: {MD5}", "size: 1", "mirrors: ['https://h/a']"],
            [
                "7:10: model 'ocr' has md5 of a set of files",
                "8:11: model 'ocr' has size of a set of files",
                "9:14: model 'ocr' has mirrors of a set of files",
            ],
        ),
        (
            ["repo: team/ocr", f"revision: {COMMIT}", "unpack: tar"],
            ["7:13: model 'ocr' has unpack, but its files are take"],
        ),
        (["repo: team/ocr", f"revision: {COMMIT}", "path: ../a/"], ["7:11: model 'ocr' has path '../a/'"]),
    ],
)
def test_what_is_wrong_about_a_repository(lines: list[str], said: list[str]) -> None:
    told = [line.removeprefix("models.yaml:") for line in complaints(hub(*lines)) if line.startswith("models.yaml:")]
    assert [line[: len(start)] for line, start in zip(told, said, strict=True)] == said


def test_a_key_that_only_another_source_reads_is_metadata() -> None:
    assert only(f"{GOOD}    repo: team/code\n    revision: 7\n").metadata == {"repo": "team/code", "revision": 7}


@pytest.mark.parametrize("package", ["b>=1", "b==1,<2", "--index-url=x==1", "b==1 --pre", "b @ c", "b==1.*"])
def test_a_package_is_one_exact_version(package: str) -> None:
    text = f"models: [{{name: b, version: 1, source: pypi, path: b/, md5: {MD5}, package: {package!r}}}]"
    (said,) = complaints(text)
    assert re.match(r"models\.yaml:1:104: model 'b' has (package '|a package that)", said)
    assert said.endswith(" is not of the form NAME or NAME==VERSION")


def test_a_package_without_a_version_has_that_of_the_entry() -> None:
    wheel = "models: [{name: b, version: %s, source: pypi, path: b/, package: b}]"
    assert only(wheel % "1.0").artifact.locator == "b==1.0"
    (said,) = complaints(wheel % "final")
    assert said.startswith("models.yaml:1:69: model 'b' has package 'b', which names no version, and that in 'version'")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["version: '>=3.3,<'", "package: b"], "3:14: model 'b' has version '>=3.3,<'\n  expected versions as PEP 440"),
        (["version: latest", "package: b==1"], "4:14: model 'b' has package 'b==1', which names a version, and 'ver"),
    ],
)
def test_what_is_wrong_about_a_version_that_floats(lines: list[str], said: str) -> None:
    rest = ["source: pypi", "path: b/"]
    told = complaints("\n    ".join(["models:\n  - name: b", *lines, *rest]))
    assert "\n".join(told).startswith(f"models.yaml:{said}")


def test_a_model_may_be_there_once() -> None:
    twice = GOOD + GOOD.partition("\n")[2]
    assert complaints(twice) == ["models.yaml:7:11: model 'resnet' v1.0 is there twice", "  the first is on line 2"]


@pytest.mark.parametrize(("name", "version"), [("a", "b_c"), ("A_B", "c")])
def test_two_models_may_not_land_on_one_path(name: str, version: str) -> None:
    first = changed("name: resnet", "name: a_b").replace("v1.0", "c")
    second = changed("name: resnet", f"name: {name}").replace("v1.0", version).partition("\n")[2]
    said = complaints(first + second)
    assert said[0].startswith(f"models.yaml:7:11: model '{name}' would be checkpoints/")
    assert said[1] == "  so does the model 'a_b' c on line 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: expected a mapping with a list called 'models'"),
        ("- a", "1:1: expected a mapping with a list called 'models', not a list"),
        ("\nmodel: []", "2:1: unknown key 'model'\n  did you mean 'models'?"),
        ("\na: []", "2:1: has no 'models'"),
        ("metric: {}\nmodels: []", "1:1: unknown key 'metric'\n  did you mean 'metrics'?"),
        ("models: text", "1:9: 'models' is not a list"),
        ("models: {a: 1}", "1:9: 'models' is not a list"),
        ("models:\n  a: 1", "1:1: 'models' is not a list"),
        ("models: []\nmodels: []", "2:1: 'models' is there twice\n  the first is on line 1"),
        ("models: []\na: 1\na: 1", "3:1: 'a' is there twice\n  the first is on line 2"),
        ("models:\n  - a: b\n   c", "3:4: not valid YAML: "),
        ("models: []\n---\nmodels: []", "2:1: a second document begins here\n  a file holds one"),
        ("models: \0", "1:9: not valid YAML: a control character (U+0000)"),
        ("models:\n  - !!python/object/apply:os.system [id]", "2:5: tags (tag:yaml.org,2002:python/object/apply:os"),
        ("models:\n  - version: !=3.0", "2:14: tags (!=3.0) are not read here\n  leave the tag away, or put the"),
        ("a: &a [x]\nmodels: *a", "2:9: aliases (`*name`) are not read here\n  write the value out"),
        ("models: " + "[" * 30 + "]" * 30, "1:28: nested more than 20 deep"),
        ("models: [{[a]: b}]", "1:11: a list as a key\n  if it is meant as text, put it in quotes"),
        ("models: [{url: {{ x }}}]", "1:17: a mapping as a key\n  if it is meant as text"),
        (f"models: [{{a: {'x' * 70_000}}}]", "1:14: a value of 70000 characters\n  65536 are the most"),
    ],
)
def test_what_is_no_registry(text: str, message: str) -> None:
    assert f"models.yaml:{message}" in "\n".join(complaints(text))


def test_no_models_are_no_problem() -> None:
    assert parse("models: []").models == ()
    assert parse("models:\nother: 1").models == ()


def test_python_alone_reads_as_libyaml_does(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (REPOSITORY / "models.yaml").read_text("utf-8")
    quick = parse(text)
    monkeypatch.setattr(document, "_Loader", yaml.SafeLoader)
    assert parse(text) == quick
    assert complaints("models:\n  - a: b\n   c")[0].startswith("models.yaml:3:4: not valid YAML")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        registry.load(tmp_path / "models.yaml")
    (tmp_path / "models.yaml").write_bytes(b"models: \xff")
    with pytest.raises(InputError, match="not UTF-8 at byte 8"):
        registry.load(tmp_path / "models.yaml")


def test_a_byte_order_mark_and_dos_line_ends_move_no_place(tmp_path: Path) -> None:
    text = changed("v1.0", "../v1").replace("\n", "\r\n")
    (tmp_path / "models.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    with pytest.raises(InputError, match=r"^models\.yaml:3:14: model 'resnet' has version '\.\./v1'\n"):
        registry.load(tmp_path / "models.yaml")


def test_a_column_counts_characters() -> None:
    text = f"models: [{{task: '文字🙂', name: a, version: 1, source: http, url: ftp://h, md5: {MD5}}}]"
    column = text.index("ftp") + 1
    assert complaints(text) == [f"models.yaml:1:{column}: model 'a' has a url that is not an http:// or https:// URL"]


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "models.yaml").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match=r"no registry is as large\n  67108864 bytes are the most that is read"):
        registry.load(tmp_path / "models.yaml")


def test_a_bomb_of_a_million_values_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_VALUES", 1000)
    assert complaints(f"models: [{'a, ' * 995}]")[0] == "models.yaml:1:10: model #1 is not a mapping, but 'a'"
    assert complaints(f"models: [{'a, ' * 2000}]") == [
        "models.yaml:1:3001: more than 1000 values",
        "  no registry has as many",
    ]


def test_after_a_thousand_problems_the_rest_is_counted() -> None:
    said = [line for line in complaints(f"models: [{'a, ' * 5000}]") if not line.startswith("  ")]
    assert len(said) == 1001
    assert said[-1] == "models.yaml: and 4000 more like these"


def test_a_billion_laughs_are_not_heard() -> None:
    bomb = [
        "a: &a [lol]",
        *(
            f"{name}: &{name} [{', '.join(['*' + before] * 9)}]"
            for before, name in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ]
    said = complaints("\n".join([*bomb, "models: *i"]))
    assert said.count("  write the value out") == 8 * 9 + 1


def test_thousands_of_refused_values_end_the_reading() -> None:
    said = complaints("a: &a 1\nmodels: [" + "*a, " * 5000 + "]")
    assert len(said) == 2 * 100 + 1
    assert said[-1] == "models.yaml:2:410: more than 100 things that are not read here"


def test_a_value_of_megabytes_is_not_shown_whole() -> None:
    said = complaints(changed(MD5, "f" * 60_000))
    assert said == [
        f"models.yaml:6:10: model 'resnet' has md5 '{'f' * 80}'… (60000 characters)",
        "  expected 32 hexadecimal digits, got 60000 characters",
    ]


@pytest.mark.parametrize("slip", ["", *":-[]{}&*!#|>'\"@%?,\t\n\0é文"])
def test_a_slip_anywhere_is_read_or_told_and_never_a_crash(slip: str) -> None:
    for place in range(len(GOOD)):
        with contextlib.suppress(InputError):
            registry.parse(GOOD[:place] + slip + GOOD[place + 1 :])


def test_the_reference_has_every_key_and_every_source() -> None:
    page = (REPOSITORY / "docs" / "reference" / "models-yaml.md").read_text("utf-8")
    told, sources = (page.partition(f"## {title}\n")[2].partition("\n## ")[0] for title in ("Keys", "Sources"))
    told = told.partition("\n### ")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", told, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == {
        key.name for key in keys.KEYS if key.decides or key.name in ("metrics", "benchmark")
    }
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", sources, re.MULTILINE)
    assert dict(rows) == {name: source.key for name, source in SOURCES.items()}
