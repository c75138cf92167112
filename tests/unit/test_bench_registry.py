"""The benchmark of large registries runs, on small ones, and measures everything beside PyYAML's loader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.project import REPOSITORY


def test_a_quick_run_measures_everything_beside_yaml_load(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    script = [sys.executable, str(REPOSITORY / "bench" / "registry.py"), "--quick", "--json", str(report)]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    measured = json.loads(report.read_text())
    rows = {row["name"]: row for row in measured["rows"]}
    assert {"parse", "hold to the lock", "parse the lock", "write the lock"} <= set(rows)
    assert {"check", "diff, every tenth entry changed"} <= {*rows, *measured["left out"]}
    assert [row["file"] for row in rows.values() if row["limit"] is None] == ["models.yaml", "models.lock.yaml"]
    for name, row in rows.items():
        assert row["median"] > 0
        assert f"{row['ratio']:.2f}" in next(line for line in done.stdout.splitlines() if name in line)
