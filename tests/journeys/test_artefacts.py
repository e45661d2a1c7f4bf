"""What `deploy/` hands out, used for real: nginx in front of a shop, units that systemd takes, settings that exist."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.front import nginx_before
from tests.processes import BIN, UNLIMITED, environment, free_port, kill_group, tfmshop, wait_for
from tests.servers import REDIS
from tfmshop import config
from tfmshop.config.declared import SETTINGS
from tfmshop.surface.http.edge.headers import API

DEPLOY = Path(__file__).parents[2] / "deploy"
FORGED = "203.0.113.9"


@pytest.fixture
def shop(tmp_path, fresh_url):
    """A shop that believes a proxy on this machine."""
    settings = environment(
        DATABASE_URL=fresh_url, REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(tmp_path / "home"),
        PORT=str(free_port()), TRUSTED_PROXIES="127.0.0.1", LOG_LEVEL="error", **UNLIMITED,
    )  # fmt: skip
    server = subprocess.Popen([str(BIN), "serve"], env=settings, start_new_session=True, cwd=tmp_path)
    try:
        wait_for(f"http://127.0.0.1:{settings['PORT']}/health/ready", server)
        yield server, settings
        server.terminate()
        server.wait(timeout=60)
    finally:
        kill_group(server)


@pytest.fixture
def nginx(shop, tmp_path):
    """nginx in front of the shop."""
    with nginx_before(tmp_path, shop[1]["PORT"], shop[1]["PORT"]) as asking:
        yield asking


def test_behind_nginx_a_client_is_who_connects_and_a_new_release_is_not_noticed(shop, nginx):
    server, settings = shop
    page = nginx("/api/v1/products?limit=1")
    assert page.status == 200
    assert page.headers["strict-transport-security"]
    assert page.headers["etag"]
    for closed in ("/metrics", "/health", "/health/ready"):
        assert nginx(closed).status == 404
    moved = nginx("/some/where?a=b", base=nginx.plain)
    assert (moved.status, moved.headers["location"]) == (301, "https://shop.example/some/where?a=b")

    guess = {"email": "admin@example.com", "password": "wrong"}
    assert nginx("/api/v1/auth/login", guess, X_Forwarded_For=FORGED, Forwarded=f"for={FORGED}").status == 401
    logs = "".join(path.read_text() for path in Path(settings["TFMSHOP_HOME"], "logs").glob("security-*.log"))
    assert '"client.address":"127.0.0.1"' in logs
    assert FORGED not in logs

    over, answers = False, []

    def read() -> None:
        while not over:
            answers.append(nginx("/api/v1/products?limit=1").status)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    server.send_signal(1)
    status = Path(settings["TFMSHOP_HOME"], f"serve-{settings['PORT']}.json")
    for _ in range(600):
        told = json.loads(status.read_bytes())
        if (told["generation"], told["state"]) == (2, "serving"):
            break
        time.sleep(0.1)
    over = True
    for reader in readers:
        reader.join()
    assert (told["generation"], told["state"]) == (2, "serving")
    assert set(answers) == {200}
    assert len(answers) > 20


def test_what_nginx_answers_by_itself_has_the_headers_of_the_shop(nginx):
    wanted = {name.decode(): value.decode() for name, value in API if name != b"server"}
    for path, base in (("/metrics", ""), ("/health/ready", ""), ("/anything", nginx.plain)):
        answer = nginx(path, base=base)
        assert {name: answer.headers.get_all(name) for name in wanted} == {n: [v] for n, v in wanted.items()}, path
    assert nginx("/metrics").headers["strict-transport-security"]
    names = {*wanted, "strict-transport-security", "cache-control"}
    for nonsense, status in (
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 80_000, 400),
        (b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 99999999\r\n\r\n", 413),
    ):
        told, headers = nginx.told(nonsense)
        assert (told, names - set(headers)) == (status, set())
    page = nginx("/api/v1/products?limit=1")
    assert {name: page.headers.get_all(name) for name in wanted} == {n: [v] for n, v in wanted.items()}, "once each"


def test_nginx_speaks_tls_with_forward_secrecy_only(nginx):
    assert nginx.agrees("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert not nginx.agrees("ECDHE-ECDSA-AES128-SHA256")
    assert not nginx.agrees("ECDHE-ECDSA-AES128-SHA")
    assert not nginx.agrees("ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1)


def test_systemd_takes_the_units_and_finds_little_that_they_may(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    units = []
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        text = unit.read_text()
        command = re.search(r"^ExecStart=/opt/tfmshop/current/bin/tfmshop (.+)$", text, re.MULTILINE)
        helped = subprocess.run([BIN, *command[1].split(), "--help"], capture_output=True, timeout=60, check=False)
        assert helped.returncode == 0, command[1]
        units.append(tmp_path / unit.name)
        units[-1].write_text(text.replace("/opt/tfmshop/current/bin/tfmshop", str(BIN)))
    found = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    for unit in units:
        subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], check=True,
                       capture_output=True, timeout=60)  # fmt: skip


def test_the_settings_of_the_files_exist():
    known = {setting.name for setting in SETTINGS}
    example = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "environment.example").read_text(), re.MULTILINE))
    assert example <= known
    image = (DEPLOY / "Dockerfile").read_text()
    named = set(re.findall(r"\b([A-Z_]{4,})=", image)) - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert named <= known
    assert "USER 10001" in image
    assert "HEALTHCHECK" in image


def test_the_compose_file_runs_what_there_is():
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services.keys() == {"migrate", "web", "work", "postgres", "redis", "nginx", "prometheus", "grafana"}
    beside = yaml.safe_load((DEPLOY / "compose.monitoring.yaml").read_text())["services"]
    for name in ("prometheus", "grafana"):
        assert services[name]["extends"] == {"file": "compose.monitoring.yaml", "service": name}
        assert services[name]["profiles"] == ["monitoring"]
        assert name in beside
    for file, target in (("compose.yaml", "web:8000"), ("prometheus.yaml", "host.docker.internal:8000")):
        scraped = yaml.safe_load((DEPLOY / "prometheus" / file).read_text())
        assert scraped["scrape_configs"][0]["static_configs"] == [{"targets": [target]}]
        if shutil.which("promtool") is not None:
            subprocess.run(["promtool", "check", "config", DEPLOY / "prometheus" / file], check=True,
                           capture_output=True, timeout=60)  # fmt: skip
    for name in ("migrate", "web", "work"):
        helped = subprocess.run(
            [BIN, *services[name]["command"], "--help"], capture_output=True, timeout=60, check=False
        )
        assert helped.returncode == 0
        assert services[name]["read_only"]
        assert set(services[name]["environment"]) <= {setting.name for setting in SETTINGS}
        assert services[name].get("depends_on", {}).keys() <= services.keys()


def test_kubernetes_takes_what_kustomize_makes(tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which brings Kustomize, is not installed")
    made = subprocess.run(["kubectl", "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True,
                          timeout=60, check=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})  # fmt: skip
    parts = list(yaml.safe_load_all(made.stdout))
    for part in parts:
        kubernetes_validate.validate(part, "1.37", strict=True)
    kinds = Counter(part["kind"] for part in parts)
    assert (kinds["Deployment"], kinds["HorizontalPodAutoscaler"], kinds["PodDisruptionBudget"], kinds["Job"]) == (
        3,
        3,
        3,
        1,
    )
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(parts[0] | {"nonsense": 1}, "1.37", strict=True)
    for part in (one for one in parts if "template" in one.get("spec", {})):
        pod = part["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        command, *words = container["args"]
        told = tfmshop(command, *([] if command == "serve" else words), "--help", cwd=tmp_path)
        assert told.returncode == 0
        if command == "serve":
            assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
            assert words == ["--only", part["metadata"]["name"]]
    (settings,) = (part["data"] for part in parts if part["kind"] == "ConfigMap")
    command = ["kubectl", "create", "secret", "generic", "x", "--dry-run=client", "--output=json"]
    example = DEPLOY / "kubernetes" / "secret.example"
    secret = subprocess.run([*command, f"--from-env-file={example}"], capture_output=True, text=True, timeout=60,
                            check=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}).stdout  # fmt: skip
    secrets = {name: base64.b64decode(text).decode() for name, text in json.loads(secret)["data"].items()}
    assert settings.keys() | secrets.keys() <= {setting.name for setting in SETTINGS}
    assert not settings.keys() & secrets.keys()
    assert config.read(secrets | settings, None).text("APP_ENV") == "production"
