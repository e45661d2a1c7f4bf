"""Signing in with an account elsewhere: OpenID Connect, authorization code flow with PKCE, state and nonce.

Nothing of a flow is kept: verifier, nonce and state are made of its id and the installation's key, and the flow's token
goes to the client, which alone can finish what it began (OpenID Connect Core 1.0, RFC 7636, RFC 9700).
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tfmshop.platform import clock, ids
from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.seals import Sealed, Seals, opened

PURPOSE: Final = "oidc"
LONGEST_FLOW: Final = timedelta(minutes=10)
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""How providers may sign: with a key pair, never with a shared secret, never not at all."""
KEPT_SECONDS: Final = 3600
TIMEOUT_SECONDS: Final = 5.0
LEEWAY_SECONDS: Final = 60
WRONG: Final = (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError, OverflowError, ExceptionGroup)
"""What a provider that answers something else may lead to."""


class UnknownProvider(
    ShopError, kind=Kind.NOT_FOUND, code="sign_in_provider_unknown", says="There is no sign-in with {name}."
):
    """The shop does not use that provider."""

    name: str


class FlowInvalid(
    ShopError, kind=Kind.CONFLICT, code="sign_in_flow_invalid", says="This sign-in was not begun here, or is too old."
):
    """The flow or its state is not ours, belongs to another client or provider, or is older than ten minutes."""


class ProviderRefused(
    ShopError,
    kind=Kind.UNAUTHENTICATED,
    code="sign_in_provider_refused",
    says="The provider did not confirm it: {why}.",
):
    """The code is used up or made up, or what the provider says of the person cannot be believed."""

    why: str


class ProviderAway(
    ShopError, kind=Kind.UNAVAILABLE, code="sign_in_provider_unavailable", says="The provider does not answer."
):
    """No answer in time, or none that can be read."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a provider says of a person."""

    provider: str
    subject: str
    email: str
    email_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the token that finishes the flow."""

    authorization_url: str
    flow: str


@dataclass(slots=True)
class Provider:
    """One provider: how it is called here, who it is, and who we are there."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    _metadata: dict[str, Any] = field(default_factory=dict, repr=False)
    _keys: KeySet | None = field(default=None, repr=False)
    _read_at: float = field(default=0.0, repr=False)

    async def begin(self, seals: Seals, redirect_uri: str) -> Begun:
        """A new flow. `ProviderAway`."""
        metadata, _ = await self._known()
        id, now = ids.new(), int(clock.now().timestamp())
        flow = seals.token(PURPOSE, id, self.name.encode(), now)
        secrets = _Secrets.of(seals, id.bytes)
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=secrets.state, nonce=secrets.nonce,
                code_verifier=secrets.verifier,
            )  # fmt: skip
        return Begun(str(url), flow)

    async def finish(self, seals: Seals, redirect_uri: str, *, flow: str, state: str, code: str) -> Claims:
        """Who it is that came back with a code. `FlowInvalid`, `ProviderRefused`, `ProviderAway`."""
        secrets = self._secrets(seals, opened(flow), state)
        metadata, keys = await self._known()
        async with self._client(redirect_uri) as client:
            try:
                token = await client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=secrets.verifier
                )  # fmt: skip
            except OAuthError as error:
                raise ProviderRefused(str(error.error)[:100]) from None
            except WRONG as error:
                raise ProviderAway from error
        return self._claims(token.get("id_token"), keys, secrets.nonce)

    def _secrets(self, seals: Seals, sealed: Sealed | None, state: str) -> _Secrets:
        if sealed is None or not seals.fits(sealed, PURPOSE, self.name.encode()):
            raise FlowInvalid
        age = clock.now().timestamp() - sealed.number
        secrets = _Secrets.of(seals, sealed.id.bytes)
        if not 0 <= age + 1 <= LONGEST_FLOW.total_seconds() or not hmac.compare_digest(
            state.encode(), secrets.state.encode()
        ):
            raise FlowInvalid
        return secrets

    def _claims(self, id_token: object, keys: KeySet, nonce: str) -> Claims:
        if not isinstance(id_token, str):
            raise ProviderRefused("it sent no identity")
        wanted = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS, iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id}, exp={"essential": True}, iat={"essential": True},
            sub={"essential": True}, nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise ProviderRefused(type(error).__name__) from None
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self.client_id:
            raise ProviderRefused("it is meant for somebody else")
        subject, email = str(claims["sub"]), str(claims.get("email") or "")
        return Claims(
            self.name, subject[:255], email[:255], claims.get("email_verified") is True,
            str(claims.get("name") or email.partition("@")[0])[:200],
        )  # fmt: skip

    async def _known(self) -> tuple[dict[str, Any], KeySet]:
        """What the provider says of itself, and its keys, read again after an hour."""
        if self._keys is None or monotonic() - self._read_at > KEPT_SECONDS:
            try:
                async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                    said = await client.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                    metadata = said.raise_for_status().json()
                    if metadata["issuer"] != self.issuer:
                        raise ProviderRefused("it says that it is another one")
                    keys = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
                for name in ("authorization", "token"):
                    if httpx2.URL(metadata[f"{name}_endpoint"]).scheme not in ("http", "https"):
                        raise ProviderAway
                self._metadata, self._keys = metadata, KeySet.import_key_set(keys)
            except (*WRONG, KeyError, JoseError) as error:
                raise ProviderAway from error
            self._read_at = monotonic()
        return self._metadata, self._keys

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self.client_id, self.client_secret, scope="openid email profile", redirect_uri=redirect_uri,
            code_challenge_method="S256", timeout=TIMEOUT_SECONDS,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Secrets:
    state: str
    nonce: str
    verifier: str

    @classmethod
    def of(cls, seals: Seals, id: bytes) -> _Secrets:
        parts = [base64.urlsafe_b64encode(seals.seal(part + id)).rstrip(b"=").decode()
                 for part in (b"oidc state", b"oidc nonce", b"oidc verifier")]  # fmt: skip
        return cls(*parts)


def providers_of(entries: list[str]) -> dict[str, Provider]:
    """The providers that a setting lists, by name, each as `name|issuer|client id|client secret`."""
    found = {}
    for entry in entries:
        name, issuer, client_id, client_secret = entry.split("|")
        found[name] = Provider(name, issuer, client_id, client_secret)
    return found
