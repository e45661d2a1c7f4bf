"""`python -m tfmshop` and the `tfmshop` command."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> int:
    gc.disable()  # what is loaded stays: looking through it for garbage takes a seventh of the time
    from tfmshop import app, config
    from tfmshop.platform.embedded import running
    from tfmshop.surface import cli

    gc.freeze()
    gc.enable()
    host = cli.Host(
        read_config=app.settings_and_logs,
        running=running,
        opened=app.opened_for_commands,
        serve_target="tfmshop.app:serve",
        schedule=app.schedule,
        observed=app.observed,
        keep_logs=app.keep_logs,
        channels=app.channels_of,
        check=app.check,
    )
    return cli.run(host, config.ConfigError)


if __name__ == "__main__":
    main()
