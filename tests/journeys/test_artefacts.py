"""What `deploy/` hands out, used for real: nginx in front of a shop, units that systemd takes, settings that exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme

from tests.processes import BIN, UNLIMITED, environment, free_port, kill_group, wait_for
from tests.servers import REDIS
from tfmshop.config.declared import SETTINGS

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
    """The file for nginx with other ports and a certificate of its own: how to ask it."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    authority, plain, secure = trustme.CA(), free_port(), free_port()
    certificate = authority.issue_cert("shop.example", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(tmp_path / "certificate.pem", append=True)
    site = (DEPLOY / "nginx" / "tfmshop.conf").read_text()
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{shop[1]['PORT']}", "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;", "/etc/ssl/shop": str(tmp_path),
    }  # fmt: skip
    for old, new in changes.items():
        assert old in site
        site = site.replace(old, new)
    (tmp_path / "site.conf").write_text(site)
    bodies = "".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; {bodies} include {tmp_path}/site.conf; }}"
    )
    command = [program, "-e", str(tmp_path / "error.log"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    if os.geteuid() == 0:
        command += ["-g", "user root;"]
    subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=20)
    server = subprocess.Popen([*command[:-1], f"{command[-1]} daemon off;"] if command[-2] == "-g"
                              else [*command, "-g", "daemon off;"])  # fmt: skip
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    asking = Asking(f"https://127.0.0.1:{secure}", f"http://127.0.0.1:{plain}", trusted)
    try:
        for _ in range(100):
            try:
                asking("/api/v1/products?limit=1")
                break
            except OSError:
                time.sleep(0.05)
        yield asking
    finally:
        server.terminate()
        server.wait(timeout=20)


class Asking:
    """Requests to nginx."""

    def __init__(self, secure: str, plain: str, trusted: ssl.SSLContext) -> None:
        self.secure, self.plain = secure, plain
        https, none = urllib.request.HTTPSHandler(context=trusted), _NoRedirects()
        self._opener = urllib.request.build_opener(https, none)

    def __call__(self, path: str, body: object = None, base: str = "", **headers: str):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            (base or self.secure) + path, data, {"Host": "shop.example", "Content-Type": "application/json", **named}
        )
        try:
            answer = self._opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            answer.read()
        return answer


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


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
    assert services.keys() == {"migrate", "web", "work", "postgres", "redis", "nginx"}
    for name in ("migrate", "web", "work"):
        helped = subprocess.run(
            [BIN, *services[name]["command"], "--help"], capture_output=True, timeout=60, check=False
        )
        assert helped.returncode == 0
        assert services[name]["read_only"]
        assert set(services[name]["environment"]) <= {setting.name for setting in SETTINGS}
        assert services[name].get("depends_on", {}).keys() <= services.keys()
