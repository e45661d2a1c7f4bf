"""Settings: each mistake is named, secrets stay hidden."""

from __future__ import annotations

import pytest

from tfmshop import app, config
from tfmshop.commerce.payments.errors import UnknownProvider
from tfmshop.config import BY_NAME, SETTINGS, ConfigError
from tfmshop.config.hosts import is_readable
from tfmshop.config.setting import Servers, redis_url


def test_defaults_are_valid_and_the_origin_document_is_covered():
    settings = config.read({}, None)
    assert settings.number("PORT") == 8000
    for name in (
        "ENABLE_CACHING", "ENABLE_COMPRESSION", "ENABLE_RATE_LIMIT", "LOG_LEVEL", "ENABLE_FILE_LOGGING",
        "RATE_LIMIT_GENERAL", "RATE_LIMIT_AUTH", "RATE_LIMIT_API", "DB_POOL_MIN", "DB_POOL_MAX",
        "DB_CONNECTION_TIMEOUT", "DB_QUERY_TIMEOUT", "CACHE_TTL_PRODUCTS", "CACHE_TTL_CATEGORIES", "CACHE_TTL_SEARCH",
    ):  # fmt: skip
        assert name in BY_NAME


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=9001\nLOG_LEVEL=debug\n# a comment\n")
    settings = config.read({"PORT": "9002"}, file)
    assert (settings.number("PORT"), settings.text("LOG_LEVEL")) == (9002, "debug")
    assert settings.given == {"PORT", "LOG_LEVEL"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"PORT": "http"}, "PORT must be a whole number, not 'http'."),
        ({"PORT": "70000"}, "PORT must be at most 65535, not 70000."),
        ({"ENABLE_CACHING": "perhaps"}, "ENABLE_CACHING must be true or false, not 'perhaps'."),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be one of error, warn, info, http, debug, not 'loud'."),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must start with postgresql:// or postgres://."),
        ({"DATABASE_URL": "postgresql://h:99999/x"}, "DATABASE_URL is not an address that can be read."),
        ({"REDIS_URL": "redis://[bad"}, "REDIS_URL is not an address that can be read."),
        ({"HOST": "localhost"}, "HOST must be an IP address, not 'localhost'."),
        ({"JWT_SECRET": "short"}, "JWT_SECRET must be empty"),
        ({"BACKUP_AT": "99 3 * * *"}, "must be a line of cron"),
        ({"DRILL_AT": "* * * * * *"}, "must be a line of cron"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8, nonsense"}, "must list networks such as"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "must list networks such as"),
        ({"ALLOWED_HOSTS": "https://shop.example"}, "must list hosts such as"),
        ({"CORS_ORIGINS": "*"}, "must list origins such as"),
        ({"CORS_ORIGINS": "https://shop.example/"}, "must list origins such as"),
        ({"OIDC_PROVIDERS": "acme|https://acme.example|us"}, "must list providers as"),
        ({"OIDC_PROVIDERS": "acme|http://acme.example|us|secret"}, "must name issuers by https"),
        ({"OIDC_PROVIDERS": "acme|https://acme.example|us|secret"}, "SHOP_URL must be set"),
        ({"REQUEST_TIMEOUT": "24999"}, "must be 15000 ms above PAYMENT_TIMEOUT"),
        ({"DB_POOL_MIN": "9", "DB_POOL_MAX": "3"}, "DB_POOL_MIN must not be greater than DB_POOL_MAX."),
        ({"REDIS_TIMEOT": "9"}, "REDIS_TIMEOT is not a setting: is it REDIS_TIMEOUT?"),
        ({"DB_POOL_MIM": "9"}, "DB_POOL_MIM is not a setting: is it DB_POOL_MIN?"),
        ({"APP_ENV": "production"}, "DATABASE_URL must be set when APP_ENV is production."),
    ],
)
def test_mistakes_are_sentences(given, sentence):
    with pytest.raises(ConfigError) as error:
        config.read(given, None)
    assert sentence in str(error.value)


def test_a_file_has_nothing_but_settings(tmp_path):
    (tmp_path / ".env").write_text("DB_POOL_SIZE=9\nREDIS_TIMEOT=9\n")
    with pytest.raises(
        ConfigError, match=r"DB_POOL_SIZE is not a setting .*\.\n.*REDIS_TIMEOT .* is it REDIS_TIMEOUT\?"
    ):
        config.read({"DB_PORT": "tcp://10.0.0.1:5432", "LOGLEVEL": "x"}, tmp_path / ".env")
    config.read({"DB_PORT": "tcp://10.0.0.1:5432", "REDIS_HOST": "x"}, None)


def test_production_says_each_thing_once():
    with pytest.raises(ConfigError) as error:
        config.read({"APP_ENV": "production", "JWT_SECRET": "x"}, None)
    assert str(error.value).count("JWT_SECRET") == 1


def test_every_mistake_is_named_at_once():
    with pytest.raises(ConfigError) as error:
        config.read({"PORT": "x", "LOG_LEVEL": "y"}, None)
    assert len(error.value.problems) == 2


def test_secrets_are_not_shown():
    given = {"JWT_SECRET": "s" * 40, "SEAL_SECRET": "e" * 40, "DATABASE_URL": "postgresql://u:password@h/db",
             "DATABASE_POOL_URL": "postgresql://u:poolword@h/db", "DATABASE_REPLICA_URLS": "postgresql://u:copyword@h/db",
             "REDIS_URL": "redis://:pw@h", "METRICS_TOKEN": "m" * 40, "BACKUP_KEY": "AGE-SECRET-KEY-1ABC",
             "ALERT_WEBHOOK": "https://h/hook-a", "ALERT_WEBHOOK_SECRET": "w" * 40, "ALERT_SLACK": "https://h/hook-b",
             "CDN_PURGE_URL": "https://h/cdn-path", "CDN_PURGE_HEADER": "Fastly-Key: cdn-key",
             "MAIL_URL": "smtp://u:secretword@h", "STRIPE_SECRET_KEY": "sk_ours", "STRIPE_WEBHOOK_SECRET": "whsec_ours",
             "SHOP_URL": "https://shop.example",
             "OIDC_PROVIDERS": "acme|https://acme.example|us|clientsecret"}  # fmt: skip
    settings = config.read(given, None)
    shown = repr(settings) + str([row.value for row in settings.rows()])
    for secret in (
        "s" * 40,
        "e" * 40,
        "KEY-1ABC",
        "w" * 40,
        "hook-a",
        "hook-b",
        "m" * 40,
        "password",
        "pw@",
        "secretword",
        "poolword",
        "copyword",
        "sk_ours",
        "whsec_ours",
        "clientsecret",
        "cdn-path",
        "cdn-key",
    ):
        assert secret not in shown
    assert {setting.name for setting in SETTINGS if setting.secret} == set(given) - {"SHOP_URL"}


def test_stripe_needs_its_webhook_and_a_way_back():
    with pytest.raises(ConfigError) as error:
        config.read({"STRIPE_SECRET_KEY": "sk_x"}, None)
    assert error.value.problems == [
        f"{name} must be set when STRIPE_SECRET_KEY is." for name in ("STRIPE_WEBHOOK_SECRET", "SHOP_URL")
    ]
    with pytest.raises(ConfigError, match="must start with sk_ or rk_"):
        config.read({"STRIPE_SECRET_KEY": "pk_public"}, None)


def test_no_fake_money_in_production():
    given = {
        "APP_ENV": "production",
        "JWT_SECRET": "s" * 40,
        "SEAL_SECRET": "e" * 40,
        "DATABASE_URL": "postgresql://x/y",
        "REDIS_URL": "redis://x",
        "ALLOWED_HOSTS": "shop.example",
        "TRUSTED_PROXIES": "none",
    }
    with pytest.raises(UnknownProvider):
        app.providers(config.read(given, None)).named("fake")
    assert app.providers(config.read({}, None)).named("fake")


@pytest.mark.parametrize(("text", "says"), [
    ("redis+sentinel://one:26379,two:26379/shop", None),
    ("redis+sentinel://user:p%40ss@one:26379/shop/2", None),
    ("rediss+cluster://:secret@one:6379,two:6380", None),
    ("redis+sentinel://one:26379", "must end in what"),
    ("redis+sentinel://one/shop", "must list hosts"),
    ("redis+sentinel://one:0/shop", "must list hosts"),
    ("redis+sentinel://one:99999/shop", "must list hosts"),
    ("redis+sentinel://one:26379/shop/x", "must end in what"),
    ("redis+sentinel://one:26379/shop?db=1", "must end in what"),
    ("redis+sentinel://user:pa#ss/w@one:26379/shop", None),
    ("redis+cluster://one:6379/3", "must end after"),
    ("redis://one:6379/abc", "must name its database"),
    ("unix:///run/redis.sock?db=abc", "must name its database"),
    ("unix://", "must name a socket"),
    ("http://one", "must start with redis:// or rediss:// or unix://, or name several servers"),
    ("http+cluster://one:6379", "must list hosts"),
    ("redis+sentinel://[::1]:26379/shop", "must list hosts"),
])  # fmt: skip
def test_addresses_of_several_redis_servers(text, says):
    found = redis_url(text)
    assert (found is None) if says is None else found.startswith(says), found
    if says is None:
        assert Servers.of(text).places[0][0] == "one"
    assert "secret" not in (found or "")


@pytest.mark.parametrize("url", [
    "postgresql://shop:p@db.example/shop", "postgresql://db.example,127.0.0.1:5433/shop?sslmode=prefer",
    "postgresql:///shop?host=10.0.0.5", "redis://cache.example:6379/0", "redis+sentinel://a.example:1/name",
    "smtp://mail.example:587", "postgresql://[2001:db8::1]:5432/shop",
])  # fmt: skip
def test_addresses_that_somebody_could_read_on_the_way(url):
    assert is_readable(url)


@pytest.mark.parametrize("url", [
    "", "postgresql://shop:p@db.example/shop?sslmode=verify-full", "postgresql://shop:p@127.0.0.1:5432/shop",
    "postgresql:///shop?host=/run/postgresql", "postgresql://[::1]:5432/shop", "rediss://cache.example:6379/0",
    "redis://localhost:6379", "unix:///run/redis.sock", "smtps://mail.example", "smtp://user:word@mail.example:587",
    "smtp://127.0.0.2",
])  # fmt: skip
def test_addresses_that_nobody_can_read_on_the_way(url):
    assert not is_readable(url)


def test_a_setting_that_names_a_server_to_be_read_on_the_way_is_named():
    settings = config.read({"REDIS_URL": "redis://a.example", "DATABASE_REPLICA_URLS":
                            "postgresql://b.example/s?sslmode=require, postgresql://c.example/s"}, None)  # fmt: skip
    assert settings.readable == ["REDIS_URL", "DATABASE_REPLICA_URLS"]
