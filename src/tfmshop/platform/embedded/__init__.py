"""Servers that come in wheels, for a shop that runs with nothing else installed."""

from tfmshop.platform.embedded.owner import CannotStart, prepare_home
from tfmshop.platform.embedded.postgres import Postgres, postgres_programs
from tfmshop.platform.embedded.redis import Redis
from tfmshop.platform.embedded.servers import running

__all__ = ["CannotStart", "Postgres", "Redis", "postgres_programs", "prepare_home", "running"]
