"""`tfmshop cache`: one command sees and tells every web process."""

from __future__ import annotations

import json
import os

from tests.processes import call, free_port, serving, tfmshop
from tests.servers import REDIS


def test_the_cache_by_commands(fresh_url, tmp_path):
    given = {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path)}

    def run(*arguments: str):
        return tfmshop("cache", *arguments, cwd=tmp_path, **given)

    nobody = run("stats")
    assert (nobody.returncode, "No web server" in nobody.stderr) == (1, True)
    assert "No web server" in tfmshop("optimize", "cache", cwd=tmp_path, **given).stderr
    assert tfmshop("seed", cwd=tmp_path, **given).returncode == 0
    port = free_port()
    with serving(fresh_url, tmp_path, port):
        base = f"http://127.0.0.1:{port}/api/v1"
        for _ in range(10):
            assert call(f"{base}/products/sand-arc-floor-lamp")[0] == 200

        def told() -> dict:
            while not (found := json.loads(run("stats", "--json").stdout or "[]")) or (
                found[0]["kinds"].get("products", {}).get("hits", 0) < 9
            ):
                pass
            return found[0]

        one = told()
        assert (one["sure"], one["redis"], one["kinds"]["products"]["rebuilds"] >= 1) == (True, True, True)
        text = run("stats")
        assert "hears of changes, with Redis" in text.stdout
        assert max(map(len, text.stdout.splitlines())) <= 80
        advice = [tfmshop("optimize", "cache", *words, cwd=tmp_path, **given) for words in ((), ("--json",))]
        assert [one.stdout for one in advice] == ["Nothing to change.\n", "[]\n"]
        (first,) = json.loads(run("keys", "--pattern", "lamp", "--json").stdout)
        assert (first["key"], first["hits"]) == ("/api/v1/products/sand-arc-floor-lamp", 9)
        assert "/api/v1/products/sand-arc-floor-lamp" in run("keys").stdout
        for words in ((), ("--tag", "list"), ("--pattern", "/search"), ("--tag", "list", "--tag", "search")):
            assert run("clear", *words).stdout == "Told 1 web server processes.\n"
        assert run("warm").stdout == "Told 1 web server processes.\n"
        for wrong in (("--tag", "a,b"), ("--tag", "#1"), ("--pattern", " "), ("--tag", "")):
            assert (run("clear", *wrong).returncode, run("clear", *wrong).stdout) == (2, "")
