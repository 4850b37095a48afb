"""The wheel: what is in it, and what it does with the base dependencies alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
PACKAGES = {"greenai", "greenai_collectors", "greenai_dashboard", "greenai_reports"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sources as they are."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


def test_exactly_the_packages(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    (info,) = tops - PACKAGES
    assert info.endswith(".dist-info")
    assert tops >= PACKAGES
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name]


def test_every_module_and_data_file_is_in_it(names: set[str]) -> None:
    for source in (ROOT, ROOT / "collectors", ROOT / "dashboard", ROOT / "reports"):
        for package in PACKAGES:
            for path in (source / package).rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    assert path.relative_to(source).as_posix() in names


@pytest.mark.parametrize(
    "name",
    [
        "greenai/agent/greenai-agent.service",
        "greenai/carbon/data/tables/uba-2026.csv",
        "greenai/host/cpu_power.csv",
        "greenai/store/migrations/env.py",
        "greenai/store/migrations/versions/0001_first_schema.py",
        "greenai_reports/templates/summary.html",
        "greenai_reports/templates/summary.typ",
        "greenai_reports/fonts/IBMPlexSans-Regular.ttf",
        "greenai_dashboard/assets/style.css",
        "greenai/py.typed",
        "greenai_collectors/py.typed",
    ],
)
def test_data_files(names: set[str], name: str) -> None:
    assert name in names


def test_entry_points_and_licence(wheel: Path, names: set[str]) -> None:
    (name,) = [n for n in names if n.endswith("/entry_points.txt")]
    parser = ConfigParser(delimiters="=")
    parser.read_string(zipfile.ZipFile(wheel).read(name).decode())
    assert parser["console_scripts"]["greenai"] == "greenai.cli.main:main"
    families = {path.stem for path in (ROOT / "collectors" / "greenai_collectors").glob("*.py")} - {"__init__"}
    assert set(parser["greenai.collectors"]) == families
    assert set(parser["greenai.reports"]) == {"html", "pdf", "json"}
    assert [n for n in names if n.endswith("/licenses/LICENSE")]


@pytest.fixture(scope="session")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with greenai and its base dependencies only."""
    folder = tmp_path_factory.mktemp("base") / "venv"
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    for command in (
        [uv, "venv", "-q", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), str(wheel)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "bin"


def _call(bin_folder: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{bin_folder}:/usr/bin:/bin", "PYTHONPATH": ""}
    return subprocess.run(
        [str(bin_folder / command[0]), *command[1:]],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_base_install_tracks_and_lists(base: Path, tmp_path: Path) -> None:
    assert _call(base, tmp_path, "greenai", "--help").returncode == 0
    where = _call(base, tmp_path, "python", "-c", "import greenai; print(greenai.__file__)")
    assert "site-packages" in where.stdout
    code = (
        "import greenai\n"
        "with greenai.track('fit', project='p') as run:\n"
        "    sum(range(10**6))\n"
        "print(run.result.state.value, len(run.result.energy.channels))\n"
    )
    done = _call(base, tmp_path, "python", "-W", "error", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("completed ")
    done = _call(base, tmp_path, "greenai", "run", "--name", "cmd", "--", "python", "-c", "print(7)")
    assert (done.returncode, done.stdout) == (0, "7\n")
    rows = json.loads(_call(base, tmp_path, "greenai", "runs", "--json").stdout)
    assert {row["name"] for row in rows} == {"fit", "cmd"}
    assert _call(base, tmp_path, "greenai", "doctor").returncode == 0
    assert _call(base, tmp_path, "greenai", "runs", "export", "--format", "csv").stdout.count("\n") == 3


def test_germany_needs_no_extra(base: Path, tmp_path: Path) -> None:
    for zone in ("DE", "DEU"):
        done = _call(base, tmp_path, "greenai", "factors", "show", zone, "--json")
        assert done.returncode == 0, (zone, done.stderr)
        assert json.loads(done.stdout)[0]["value_g_per_kwh"] == 352


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["dashboard", "--no-browser", "--port", "0"], "dashboard"),
        (["report", "-o", "x.pdf"], "reports"),
        (["report", "-o", "x.html"], "reports"),
        (["runs", "export", "-o", "x.parquet"], "frames"),
        (["demo", "--check"], "all"),
    ],
)
def test_what_is_missing_is_named(base: Path, tmp_path: Path, command: list[str], extra: str) -> None:
    _call(base, tmp_path, "greenai", "run", "--", "true")
    done = _call(base, tmp_path, "greenai", *command)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'greenai[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / command[-1]).exists()
