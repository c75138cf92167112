"""The keys of ``models.yaml`` in one table: what the reader knows, and what `schema` tells editors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envkit.models.registry.shapes import BENCHMARK, METRIC, NAME, URL, WISH, Shape, digest, one_or_more, text, url


@dataclass(frozen=True)
class Key:
    """One key: ``description`` is for people, ``decides`` says that it decides which bytes end up where."""

    name: str
    description: str
    shape: Shape
    decides: bool = True


MAX_NAME = 100
"""Bytes: name, version and suffix share the 255 that a file name may have."""
UNPACK = ("tar", "zip", "none")
MEMBERS = "path"
ALWAYS = ("name", "version", "source")
ALSO_NEEDED = {"pypi": (MEMBERS,)}
"""What a source wants besides the key that it goes by."""

KEYS = (
    Key(
        "name",
        "What the model is called: letters, digits and . _ + -, a letter or digit first.",
        text(
            f"^{NAME}$",
            "letters, digits and . _ + -, a letter or digit first",
            "number",
            maxLength=MAX_NAME,
            examples=["net"],
        ),
    ),
    Key(
        "version",
        "Its version, taken as it is written. One of several (latest, stable, a range) needs a lock to say which.",
        text(
            f"^(?:{NAME}|{WISH})$",
            "a version of letters, digits and . _ + -, or latest, stable, or a range such as >=3.3,<4",
            "number",
            examples=["v3.3.0", "stable", ">=3.3,<4"],
        ),
    ),
    Key("source", "The kind of place that it comes from.", {}),
    Key("url", "Where the file is.", url("https://models.example/resnet50.pdparams")),
    Key(
        "hub_url",
        "Where PaddleHub has the file.",
        url("https://paddle-hapi.bj.bcebos.com/models/resnet50.pdparams"),
    ),
    Key(
        "weights_url",
        "Where the official model zoo has the weights.",
        url("https://paddledet.bj.bcebos.com/models/ppyolo_tiny_650e_coco.pdparams"),
    ),
    Key(
        "index_url",
        "What lists the versions, for one that floats: a page of links, or JSON. The file's URL has {version} in it.",
        url("https://models.example/resnet50/"),
    ),
    Key(
        "package",
        "The wheel on the package index of this machine's pip: NAME==VERSION, or NAME for the version of the entry.",
        text(
            r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:==[A-Za-z0-9][A-Za-z0-9.!+_-]*)?$",
            "NAME or NAME==VERSION",
            examples=["rapidocr-paddle==1.4.5"],
        ),
    ),
    Key(
        "repo",
        "The repository on the hub of models.",
        text(
            r"^[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*$",
            "ORG/NAME",
            examples=["PaddlePaddle/PP-OCRv5_server_det"],
        ),
    ),
    Key(
        "revision",
        "A branch, a tag or a commit of the repository; left out: main. A branch moves, and wants a lock or a digest.",
        text(
            r"^[^\s~^:?*\[\\]+$",
            "a branch, a tag or a commit",
            "number",
            examples=["0123456789abcdef0123456789abcdef01234567"],
        ),
    ),
    Key(
        MEMBERS,
        "What to take out of an archive, a wheel or a repository. Of the source file: where it is.",
        {
            "type": ["string", "number", "array"],
            "examples": ["inference.pdiparams", ["model/", "LICENSE"], "/mnt/models/det_v2.tar"],
        },
    ),
    Key(
        "md5",
        "The MD5 of the file, archive or wheel as it is fetched. This, sha256, a commit or a lock proves the bytes.",
        digest("md5", "ca6f485ee1ab0492d38f323885b0ad80"),
    ),
    Key(
        "sha256",
        "The SHA-256 of the file, archive or wheel as it is fetched; where md5 is there too, both have to match.",
        digest("sha256", "fc3d31cb1642e313bf1efd1e4c0015f2f836c37ed1d15b200f6500768beda3f0"),
    ),
    Key(
        "size",
        "The size of the file, archive or wheel in bytes.",
        text("^[0-9]{1,18}$", "a whole number of bytes", "integer", minimum=0, examples=[14961695]),
    ),
    Key(
        "unpack",
        "What kind of archive it is, or none to leave it packed; left out, the file name decides.",
        {"enum": list(UNPACK)},
    ),
    Key(
        "mirrors",
        "URLs to try after the source, in their order: one, or a list of them.",
        one_or_more(URL, examples=[["https://mirror.example/resnet50.pdparams"]]),
    ),
    Key(
        "metrics",
        "What was measured, by name: a number (76.8% is 0.768), or a mapping with value and what it means.",
        {"additionalProperties": METRIC, "examples": [{"accuracy_top1": "76.8%"}]},
        decides=False,
    ),
    Key(
        "benchmark",
        "Where that was measured: a URL, a file of the repository, a mapping with report, or a list of them.",
        {**BENCHMARK, "examples": ["reports/resnet50.md"]},
        decides=False,
    ),
    Key("task", "What it is for.", {"examples": ["image classification"]}, decides=False),
    Key(
        "description",
        "What it is, in a sentence.",
        {"examples": ["ResNet-50 trained on ImageNet"]},
        decides=False,
    ),
    Key(
        "license", "Under which licence it may be used, as SPDX calls it.", {"examples": ["Apache-2.0"]}, decides=False
    ),
    Key("input_size", "The size of its input.", {"examples": [[3, 224, 224]]}, decides=False),
    Key(
        "accuracy_top1",
        "A metric, outside metrics: 76.8% and 0.768 are one number.",
        {"examples": ["76.8%"]},
        decides=False,
    ),
    Key(
        "config_path",
        "The configuration that goes with the weights.",
        {"examples": ["configs/ppyolo/ppyolo_tiny_650e_coco.yml"]},
        decides=False,
    ),
)

KNOWN = tuple(key.name for key in KEYS if key.decides)
"""The keys that decide which bytes end up where. All others are metadata, and free."""

TOP: Mapping[str, str] = {
    "models": "The models of this project; envkit models sync brings checkpoints/ to exactly what stands here.",
    "metrics": "What the metrics of the models mean, by name: which way is better, and how much may be lost.",
}
"""The keys of the file itself."""

SOURCES: Mapping[str, str] = {
    "file": "A file that is there already, on a disk or a share: by path.",
    "http": "What is behind a URL: by url.",
    "huggingface": "Files of a repository on a hub of models: by repo, and revision.",
    "model_zoo_official": "The official model zoo: by weights_url.",
    "paddlehub": "PaddleHub: by hub_url.",
    "pypi": "A wheel of the package index that pip is configured for: by package, and path inside it.",
}
"""What each kind of source is, for people."""
