"""A provider of OpenID Connect in a process of its own thread: discovery, keys, codes, and the ways it can lie."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.serving import make_server

from tests.processes import free_port
from tfmshop.platform import codec


class FakeIdentityProvider:
    """Says of whoever asks that they are `person`; `lies` change what it says."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.person: dict[str, Any] = {
            "sub": "ada-1",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        self.lies: dict[str, Any] = {}
        self.signs_with = "key"
        self.codes: dict[str, dict[str, str]] = {}

    def authorize(self, url: str) -> dict[str, str]:
        """What a browser would bring back from the page at `url`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"]
        code = uuid4().hex
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}

    def _token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": asked["client_id"], "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {name: value for name, value in (claims | self.person | self.lies).items() if value is not None}
        if self.signs_with == "secret":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("the secret of the client, shared by both"),
                              algorithms=["HS256"])  # fmt: skip
        if self.signs_with == "nothing":
            head, body = ('{"alg":"none"}', codec.encode_text(claims))
            return ".".join(base64.urlsafe_b64encode(x.encode()).rstrip(b"=").decode() for x in (head, body)) + "."
        key = RSAKey.generate_key(2048, {"kid": "one"}) if self.signs_with == "another" else self.key
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)

    def app(self) -> Flask:
        """Its routes."""
        app = Flask("provider")

        @app.get("/.well-known/openid-configuration")
        def configuration() -> Any:
            return jsonify(issuer=self.issuer, authorization_endpoint=f"{self.issuer}/authorize",
                           token_endpoint=f"{self.issuer}/token", jwks_uri=f"{self.issuer}/keys")  # fmt: skip

        @app.get("/keys")
        def keys() -> Any:
            return jsonify(keys=[self.key.as_dict(private=False)])

        @app.post("/token")
        def token() -> Any:
            asked = self.codes.pop(request.form["code"], None)
            if asked is None:
                return jsonify(error="invalid_grant"), 400
            verifier = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != asked["code_challenge"]:
                return jsonify(error="invalid_grant"), 400
            if request.form["redirect_uri"] != asked["redirect_uri"]:
                return jsonify(error="invalid_grant"), 400
            return jsonify(access_token="x", token_type="Bearer", id_token=self._token(asked))

        return app


@contextmanager
def identity_provider() -> Iterator[FakeIdentityProvider]:
    """The provider, on a port of its own."""
    port = free_port()
    provider = FakeIdentityProvider(port)
    server = make_server("127.0.0.1", port, provider.app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
