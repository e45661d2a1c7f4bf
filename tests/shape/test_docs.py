"""Documents that must agree with the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from typer.main import get_command

from tests.client import Client
from tfmshop import app as composition  # noqa: F401 - registers every error
from tfmshop import config
from tfmshop.commerce.accounts.permissions import PERMISSIONS
from tfmshop.config import SETTINGS
from tfmshop.platform.errors import CODES
from tfmshop.platform.files import objects  # noqa: F401 - registers its error
from tfmshop.platform.observe.metrics import METRICS, Over
from tfmshop.surface.alerts import alerts_of
from tfmshop.surface.cli.main import app as cli
from tfmshop.surface.http.openapi import named_errors, status_of
from tfmshop.surface.http.problems import EDGE_CODES, HTTP_CODES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def headings(page: str) -> set[str]:
    """The words in backticks that a page's headings and table rows begin with."""
    text = (DOCS / page).read_text()
    return set(re.findall(r"^(?:#+|\|) ?`([^`]+)`", text, re.MULTILINE))


def test_every_setting_has_a_row_with_its_default():
    text = (DOCS / "settings.md").read_text()
    assert headings("settings.md") == {setting.name for setting in SETTINGS}
    for setting in SETTINGS:
        default = str(setting.default).lower() if isinstance(setting.default, bool) else str(setting.default)
        assert f"| `{setting.name}` | {f'`{default}`' if default else 'empty'} |" in text, setting.name


def test_every_error_code_has_a_row():
    codes = {code for code in CODES if not code.startswith("test_")}
    assert headings("errors.md") == codes | {code for code, _ in HTTP_CODES.values()} | set(EDGE_CODES)


def test_every_metric_has_a_row_with_its_labels():
    text = (DOCS / "metrics.md").read_text()
    ours = {name: metric for name, metric in METRICS.items() if not name.startswith("test_")}
    assert headings("metrics.md") == ours.keys()
    for metric in ours.values():
        labels = [f"`{label}`" for label in (*metric.labels, *(["process"] if metric.over is Over.EACH else []))]
        assert f"| `{metric.name}` | {metric.kind} | {', '.join(labels)} | {metric.meaning} |" in text


def test_every_alert_has_a_row_with_its_severity():
    text = (DOCS / "alerts.md").read_text()
    every = alerts_of(config.read({}, None))
    assert headings("alerts.md") == {alert.name for alert in every}
    for alert in every:
        assert re.search(rf"^\| `{alert.name}` \| .* \| {alert.severity} \|$", text, re.MULTILINE), alert.name


def commands() -> set[str]:
    found = set()

    def walk(command, path: str) -> None:
        if children := getattr(command, "commands", None):
            if getattr(command, "invoke_without_command", False) and path:
                found.add(path)
            for name, child in children.items():
                walk(child, f"{path} {name}".strip())
        else:
            found.add(path)

    walk(get_command(cli), "")
    return found


def test_every_command_is_documented_with_an_example():
    assert headings("commands.md") == {f"tfmshop {name}" for name in commands()}


async def test_the_openapi_document_describes_every_operation(shop: Client):
    document = (await shop.get("/openapi.json")).json()
    assert len(document["paths"]) >= 20
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert len(operation["description"]) > 15, (method, path)
            assert operation["tags"], (method, path)
            for code in named_errors(operation["description"]):
                answer = operation["responses"][str(status_of(code))]
                assert code in answer["description"]
            writes_or_finds = method != "get" or "{" in path
            assert named_errors(operation["description"]) or not writes_or_finds or path.endswith("/carts"), path
    paid = document["paths"]["/api/v1/carts/{cart_id}/checkout"]["post"]
    assert paid["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].endswith("Order")
    assert "402" in paid["responses"]
    assert [p["name"] for p in paid["parameters"] if p["required"]] == ["cart_id", "Idempotency-Key"]


@pytest.mark.parametrize("page", sorted(path.name for path in [*DOCS.glob("*.md"), *ROOT.glob("*.md")]))
def test_links_lead_somewhere(page: str):
    base = ROOT if (ROOT / page).exists() else DOCS
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (base / page).read_text()):
        assert (base / target).exists(), target


def test_the_tree_in_the_architecture_equals_the_disk():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = re.search(r"```text\n(src/tfmshop/\n.*?)```", text, re.DOTALL)
    assert drawn is not None
    stack: list[str] = []
    named: set[str] = set()
    for line in drawn[1].splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        stack = [*stack[: depth - 1], line.split()[0].rstrip("/")]
        named.add("/".join(stack))
    source = ROOT / "src" / "tfmshop"
    top = {p.name for p in source.iterdir() if not p.name.startswith("__") or p.name == "__main__.py"}
    rooms = {f"{ring}/{p.name}" for ring in ("commerce", "platform", "surface") for p in (source / ring).iterdir()}
    on_disk = top | {room for room in rooms if not room.split("/")[1].startswith("__")}
    assert named == on_disk


def test_readme_fits_on_a_screen_and_names_its_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 60
    assert "make up" in text
    assert "make test" in text


def test_security_names_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text()
    named = 0
    for cell in re.findall(r"[^|\n]*tests/[^|\n]*", text):
        file = None
        for path, name in re.findall(r"(tests/[\w/]+\.py)?::(test_\w+)", cell):
            file = path or file
            assert file, cell
            assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
            named += 1
    assert named > 150
    rows = re.findall(
        r"^\| V\d+\.\d+\.\d+ \| [^|]+ \| (met|partly|not met|n/a) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE
    )
    assert len(rows) == 253, "every requirement of levels 1 and 2 of ASVS 5.0.0 has a row"


def test_each_command_has_one_row_of_three_columns():
    rows = [line for line in (DOCS / "commands.md").read_text().splitlines() if line.startswith("| `tfmshop")]
    names = [row.split("|")[1].strip() for row in rows]
    assert len(names) == len(set(names))
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 4] == []


def test_bounds_are_as_they_are_told():
    bounds = re.findall(r"^\| .+? \| (\d+) \| `(.+)\.(\w+)` \|$", (DOCS / "protection.md").read_text(), re.MULTILINE)
    assert len(bounds) >= 25
    for told, module, name in bounds:
        assert getattr(importlib.import_module(f"tfmshop.{module}"), name) == int(told), name


def test_fields_name_permissions_that_there_are():
    table = re.search(r"^## Fields\n(.*?)^## ", (DOCS / "protection.md").read_text(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([a-z]+)`", "".join(line for line in table[1].splitlines() if line.startswith("| ")))
    assert set(named) - {"version"} <= PERMISSIONS.keys()
    assert PERMISSIONS.keys() - set(named) == {"operations", "search", "security"}


def test_settings_that_documents_name_exist():
    known = {setting.name for setting in SETTINGS}
    for page in ("protection.md", "accounts.md", "limits.md"):
        named = set(re.findall(r"`([A-Z][A-Z0-9]+_[A-Z_]+[A-Z])`", (DOCS / page).read_text()))
        assert named <= known | {"TFMSHOP_HOME"}, page
