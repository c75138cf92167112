"""A snapshot with something in every field."""

from __future__ import annotations

from envkit.runs.snapshot import (
    Code,
    Device,
    Diff,
    Gpu,
    Image,
    Machine,
    ModelFile,
    Models,
    ModelState,
    Nested,
    Python,
    Run,
    Snapshot,
    Untracked,
)

SNAPSHOT = Snapshot(
    id="0123abcd",
    taken="2026-11-24T12:00:00Z",
    envkit="0.1.0",
    service="snapshot",
    project="/workspace",
    folder="code",
    command=("python", "train.py"),
    run=Run(0, 1.5),
    git=Code(
        commit="a" * 40,
        branch="main",
        remote="https://example.com/a.git",
        prefix="",
        dirty=True,
        diff=Diff("x.json.patch", "b" * 64, 7, "c" * 40),
        untracked=(Untracked("data.csv", 3, "d" * 64, in_patch=False),),
        nested=(Nested("lib", "e" * 40, dirty=False),),
    ),
    image=Image("envkit:1-gpu", "sha256:" + "1" * 64, "envkit@sha256:" + "1" * 64),
    models=Models("2" * 64, None, (ModelState("m", "1", "checkpoints/m_1.bin", (ModelFile("", "3" * 64, 9),), None),)),
    python=Python("/usr/bin/python3", "3.10.12", {"numpy": "1.26.4"}),
    gpu=Gpu("550.54.15", "12.4", (Device("NVIDIA H100 80GB HBM3", 85520809984, "GPU-1"),)),
    machine=Machine("AMD EPYC", 8, 1 << 34, "x86_64", "Linux 6.1"),
    environment={"FLAGS_a": "1"},
    missing={},
)
