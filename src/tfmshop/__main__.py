"""`python -m tfmshop` and the `tfmshop` command."""

from __future__ import annotations

import sys

from tfmshop import app, config
from tfmshop.platform.embedded import running
from tfmshop.surface import cli


def main() -> None:
    """Run the command line."""
    host = cli.Host(
        read_config=app.settings_and_logs,
        running=running,
        opened=app.opened_for_commands,
        serve_target="tfmshop.app:serve",
        schedule=app.schedule,
    )
    sys.exit(cli.run(host, config.ConfigError))


if __name__ == "__main__":
    main()
