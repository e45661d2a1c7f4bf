"""Boxes about settings: those of a shop that is open to everybody."""

from __future__ import annotations

from tfmshop.surface.readiness.box import BEFORE, Place, Result, box, judged


@box("environment", BEFORE)
async def environment(place: Place) -> Result:
    """The settings are those of production, and name servers that are looked after."""
    config, failing = place.config, []
    if config.text("APP_ENV") != "production":
        failing.append(f"APP_ENV is {config.text('APP_ENV')}: Set APP_ENV=production.")
    warning = [
        f"{name} is not set, so the server is embedded: Set {name} to a server of its own."
        for name in ("DATABASE_URL", "REDIS_URL") if not config.text(name)
    ]  # fmt: skip
    if not config.text("SHOP_URL").startswith("https://"):
        failing.append("SHOP_URL is no https:// address: Set SHOP_URL to the address of the shop.")
    return judged(failing, warning, "production, with servers of its own")


@box("secrets", BEFORE)
async def secrets(place: Place) -> Result:
    """Secrets are given, so that another machine can take over, and differ."""
    config, failing, warning = place.config, [], []
    given = {name: config.text(name) for name in ("JWT_SECRET", "SEAL_SECRET")}
    warning += [f"{name} is only in a file of this machine: Set {name}, or copy TFMSHOP_HOME/*.secret."
                for name, value in given.items() if not value]  # fmt: skip
    if given["JWT_SECRET"] and given["JWT_SECRET"] == given["SEAL_SECRET"]:
        failing.append("JWT_SECRET and SEAL_SECRET are the same: Use two.")
    if not config.text("BACKUP_KEY"):
        warning.append("backups are not encrypted: Set BACKUP_KEY (`tfmshop db backup-key`).")
    return judged(failing, warning, "two secrets and a key of backups are set")


@box("encryption", BEFORE)
async def encryption(place: Place) -> Result:
    """What goes to other machines cannot be read on its way."""
    mends = {"DATABASE": "Add sslmode=verify-full.", "REDIS": "Use rediss://.", "MAIL": "Use smtps://."}
    warning = [f"what goes to {name} may be read on its way: {mends[name.partition('_')[0]]}"
               for name in place.config.readable]  # fmt: skip
    return judged([], warning, "nothing that could be read goes over a network")


@box("protection", BEFORE)
async def protection(place: Place) -> Result:
    """What keeps strangers out is on."""
    config, failing, warning = place.config, [], []
    if not config.flag("ENABLE_RATE_LIMIT"):
        failing.append("there are no rate limits, so passwords can be guessed without end: Set ENABLE_RATE_LIMIT=true.")
    if config.text("SUSPICION") != "block":
        warning.append(f"SUSPICION is {config.text('SUSPICION')}: Set SUSPICION=block.")
    if not config.text("ALLOWED_HOSTS"):
        failing.append("any Host is answered: Set ALLOWED_HOSTS to the names of the shop.")
    if "*" in config.words("CORS_ORIGINS"):
        failing.append("pages of anybody may use the API: Name them in CORS_ORIGINS.")
    if config.flag("WEBHOOKS_PRIVATE"):
        failing.append("webhooks may reach inner networks: Set WEBHOOKS_PRIVATE=false.")
    return judged(failing, warning, "limits, blocks, hosts and origins are set")


@box("letters and payments", BEFORE)
async def partners(place: Place) -> Result:
    """There is somebody who brings letters, and somebody who takes money."""
    config, failing = place.config, []
    if not config.text("MAIL_URL"):
        failing.append("letters go nowhere: Set MAIL_URL to a mail server.")
    if not config.text("STRIPE_SECRET_KEY"):
        failing.append("nobody can pay: Set STRIPE_SECRET_KEY.")
    elif config.text("STRIPE_SECRET_KEY").startswith(("sk_test_", "rk_test_")):
        failing.append("the key of Stripe is one for tests: Set the live one.")
    return judged(failing, [], "a mail server and Stripe are set")
