"""The house rules that a machine can check: sizes, faces, names, and what may be imported where."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tfmshop"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
BANNED = {"service", "services", "utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
MODULES = sorted(path for path in (SOURCE / "commerce").iterdir() if path.is_dir() and path.name != "__pycache__")


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def limit(path: Path) -> int:
    """How many lines a file may have, by the room it is in."""
    ring, *rest = path.relative_to(SOURCE).parts
    if ring == "commerce" and path.name == "__init__.py":
        return 60
    if ring == "commerce" and (path.name.startswith("store") or path.name == "listing.py"):
        return 400
    if ring == "commerce" and path.name != "model.py":
        return 200
    if ring == "surface" and "storefront" in rest:
        return 300
    return 350


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function below its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_small_and_well_named(path: Path):
    assert lines(path) <= limit(path)
    assert path.stem not in BANNED
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a file says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _body_lines(node) <= 50, node.name
            public = not node.name.startswith("_") and node.col_offset == 0
            assert not public or ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_median_file_is_short():
    assert statistics.median(lines(path) for path in FILES) <= 80


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_faces_name_at_most_twenty_things(module: Path):
    face = (module / "__init__.py").read_text()
    names = re.search(r"__all__ = \[(.*?)\]", face, re.DOTALL)
    assert names is not None
    assert len(re.findall(r'"', names[1])) // 2 <= 20


DOORS = {
    "clock": (r"\bdatetime\.now\(|\butcnow\(|\btime\.time\(", {"platform/clock.py"}),
    "randomness": (r"\buuid4\(|\buuid7\(", {"platform/ids.py"}),
    "JSON": (r"^import json|\bjson\.(loads|dumps)\(|msgspec\.json\.", {"platform/codec.py"}),
    "environment": (
        r"\bos\.(getenv|environ)\b",
        {"config/__init__.py", "surface/cli/serve.py", "surface/cli/up.py"},
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_clock_randomness_json_and_environment_have_one_door(door: str):
    pattern, allowed = DOORS[door]
    found = {str(path.relative_to(SOURCE)) for path in FILES if re.search(pattern, path.read_text(), re.MULTILINE)}
    assert found <= allowed


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_writes_its_own_schema_only(module: Path):
    own = {"cart": "cart", "orders": "orders"}.get(module.name, module.name)
    for path in module.glob("*.py"):
        written = re.findall(r"(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\s+(\w+)\.\w+", path.read_text())
        copied = re.findall(r'Copy\(\s*"[^"]+",\s*"(\w+)\.', path.read_text())
        assert set(written + copied) <= {own}, path.name


def test_a_module_reads_others_through_their_views():
    views = re.findall(r"CREATE VIEW (\w+\.\w+)", "".join(p.read_text() for p in SOURCE.rglob("*.sql")))
    assert views
    for module in MODULES:
        for path in module.glob("*.py"):
            read = re.findall(r"(?:FROM|JOIN)\s+((?:catalog|inventory|cart|orders|accounts)\.\w+)", path.read_text())
            foreign = {name for name in read if name.split(".")[0] != module.name}
            assert foreign <= set(views), path.name


def test_lock_files_have_hashes_and_no_address():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[\w+\])?==\S+", text, re.MULTILINE)
        assert len(pinned) > 30
        assert text.count("--hash=sha256:") >= len(pinned)


def test_no_unfinished_work():
    words = "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"])
    for path in [*FILES, *(ROOT / "tests").rglob("*.py")]:
        assert not re.search(rf"\b({words})\b", path.read_text()), path


def test_the_job_runner_knows_every_job_and_schedule():
    """What no process imports is never run, and nobody would be told."""
    names = re.compile(r'^@(?:job|schedule)\("([^"]+)"', re.MULTILINE)
    declared = {name for path in FILES for name in names.findall(path.read_text())}
    code = "import tfmshop.app; from tfmshop.platform.jobs import HANDLERS, SCHEDULES; print(*HANDLERS, *SCHEDULES)"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert declared >= {"orders.paid", "reviews.moderated"}
    assert declared <= set(output.split())
