"""The built wheel, installed where nothing else of ours is, has everything inside."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-q", "-o", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_it_carries_everything_that_is_not_python(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    packages = ("loyalty", "drivers", "sync", "pos_client")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {Path(name).suffix for name in wanted} >= {".py", ".sql", ".po", ".css", ".toml"}
    assert wanted <= inside


def test_it_installs_into_a_clean_environment_and_runs(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(UV, "venv", "-q", "--python", sys.executable, venv, cwd=tmp_path)
    python = venv / "bin" / "python"
    lock = ROOT / "requirements" / "all.lock"
    run(UV, "pip", "install", "-q", "--python", python, "--constraints", lock, wheel, cwd=tmp_path)
    command = venv / "bin" / "spaarpunt"
    assert run(command, "--version", cwd=tmp_path) == "spaarpunt 0.1.0\n"
    found = run(
        python,
        "-c",
        "import pos_client.samples, pos_client.screen.cashier, sync.hq.database\n"
        "from pos_client.i18n import translator\n"
        "print(pos_client.__file__)\n"
        "print(translator('nl')('Earns'), 'zilver' in pos_client.samples.sample('bakery'))",
        cwd=tmp_path,
    )
    assert str(venv) in found
    assert "Spaart True" in found
