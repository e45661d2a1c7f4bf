"""nginx as `deploy/` has it, in front of shops of the tests."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.processes import free_port

SITE = Path(__file__).parents[1] / "deploy" / "nginx" / "tfmshop.conf"


class Asking:
    """Requests to nginx."""

    def __init__(self, secure: str, plain: str, trusted: ssl.SSLContext) -> None:
        self.secure, self.plain, self._trusted = secure, plain, trusted
        https, none = urllib.request.HTTPSHandler(context=trusted), _NoRedirects()
        self._opener = urllib.request.build_opener(https, none)

    def __call__(self, path: str, body: object = None, base: str = "", method: str = "", **headers: str):
        """An answer with `status`, `headers` and its decoded `body`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            (base or self.secure) + path, data, {"Host": "shop.example", "Content-Type": "application/json", **named},
            method=method or ("POST" if data else "GET"),
        )  # fmt: skip
        try:
            answer = self._opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            is_json = "json" in answer.headers.get("content-type", "")
            answer.body = json.loads(text) if text and is_json else text
        return answer

    def told(self, sent: bytes) -> tuple[int, list[str]]:
        """Status and names of the headers of the answer to some bytes, HTTP or not."""
        host, port = self.secure.removeprefix("https://").split(":")
        line = socket.create_connection((host, int(port)), timeout=20)
        with line, self._trusted.wrap_socket(line, server_hostname=host) as secured:
            secured.sendall(sent)
            head = b""
            while b"\r\n\r\n" not in head and (part := secured.recv(65536)):
                head += part
        lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        return int(lines[0].split()[1]), [text.partition(":")[0].lower() for text in lines[1:]]

    def agrees(self, ciphers: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> bool:
        """Whether a client that knows no more than that is spoken to."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings(action="ignore"):  # of the old versions that are asked for on purpose
            client.maximum_version = newest
        client.set_ciphers(ciphers)
        host, port = self.secure.removeprefix("https://").split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=20) as line, client.wrap_socket(line):
                return True
        except (ssl.SSLError, ConnectionError):
            return False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@contextmanager
def nginx_before(folder: Path, storefront: str, admin: str) -> Iterator[Asking]:
    """The file for nginx with the ports of two shops, which may be one, and a certificate of its own."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    authority, plain, secure = trustme.CA(), free_port(), free_port()
    certificate = authority.issue_cert("shop.example", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(folder / "certificate.pem", append=True)
    site = SITE.read_text()
    changes = {
        "server 127.0.0.1:8000; # storefront": f"server 127.0.0.1:{storefront};",
        "server 127.0.0.1:8000; # admin": f"server 127.0.0.1:{admin};",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;", "/etc/ssl/shop": str(folder),
    }  # fmt: skip
    for old, new in changes.items():
        assert old in site
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    bodies = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {bodies} include {folder}/site.conf; }}"
    )
    command = [program, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    rights = "user root; " if os.geteuid() == 0 else ""
    subprocess.run([*command, "-g", rights, "-t"] if rights else [*command, "-t"], check=True, capture_output=True,
                   timeout=20)  # fmt: skip
    server = subprocess.Popen([*command, "-g", f"{rights}daemon off;"])
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
