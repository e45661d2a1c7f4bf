"""The alerts of a shop: everything that somebody should be woken for, or look at in the morning."""

from __future__ import annotations

from tfmshop.platform import Config
from tfmshop.platform.observe.alerts import Alert
from tfmshop.surface.alerts import answers, database, machine, money, work


def alerts_of(config: Config) -> list[Alert]:
    """Every alert, with the limits that the settings ask for."""
    return [
        *answers.failing(config), *answers.crowded(), *database.servers(), *database.statements(config),
        *machine.alerts(config), *work.alerts(config), *money.payments(), *money.webhooks(),
    ]  # fmt: skip
