"""The benchmark of downloads runs, on small sets, and every peer brings what it was asked for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import REPOSITORY

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("nginx", "curl", "aria2c"))), reason="this machine lacks nginx, curl or aria2c"
)


def test_a_quick_run_measures_envkit_beside_its_peers_in_every_case(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    script = [sys.executable, str(REPOSITORY / "bench" / "models.py"), "--quick"]
    options = ["--cache", str(tmp_path / "cache"), "--json", str(report)]
    done = subprocess.run([*script, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(report.read_text())
    cases = {**measured["downloads"], **measured["starts"]}
    assert len(cases) == 7
    for title, rows in cases.items():
        assert any(row["ours"] for row in rows), title
        assert len(rows) > 2, title
        assert all(wall > 0 for row in rows for wall in row["wall"]), title
        assert f"### {title[0].upper()}{title[1:]}" in done.stdout
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name != "sources"]
