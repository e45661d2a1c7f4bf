.PHONY: up test check bench torture lock help
help:       ## What can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile
up: .venv/installed-embedded       ## Run the whole shop on 127.0.0.1:8000 (PORT= to change)
	@exec .venv/bin/tfmshop up
test: .venv/installed-dev       ## Run the tests on a real PostgreSQL and Redis of their own
	@.venv/bin/python -m pytest -n 3 $(ARGS)
check: .venv/installed-dev       ## Lint, format, types, import contracts, migrations
	@.venv/bin/python tools/check.py
bench: .venv/installed-dev       ## Measure against the floors (needs wrk); tables go to bench/results
	@.venv/bin/python -m bench $(ARGS)
torture: .venv/installed-dev       ## Race, cut and kill a real shop; the table goes to torture/results.md
	@.venv/bin/python -m torture $(ARGS)
lock:       ## Pin the packages anew (needs uv)
	@tools/lock
.venv/installed-embedded: pyproject.toml requirements/embedded.txt
	@tools/install embedded
.venv/installed-dev: pyproject.toml requirements/dev.txt
	@tools/install dev
