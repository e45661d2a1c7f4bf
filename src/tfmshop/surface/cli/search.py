"""`tfmshop search`: the projection, synonyms, and what was looked for in vain."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.commerce import search
from tfmshop.platform import Platform
from tfmshop.platform.clock import monotonic
from tfmshop.platform.jobs import Waiting
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table, progress_bar

app = typer.Typer(no_args_is_help=True, help="Search: make its projection anew, synonyms, queries that found nothing.")

Term = Annotated[str, typer.Argument(help="A word or a few.")]


@app.command("reindex")
def reindex(
    context: typer.Context,
    language: Annotated[str | None, typer.Option(help="Default: the setting SEARCH_LANGUAGE.")] = None,
    rest: Annotated[float, typer.Option(min=0, max=100, help="How many times as long as it works it rests.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Make the projection anew beside the one in use, then swap the two. The shop goes on meanwhile.

    Interrupted, it goes on where it was when it is started again. It works a third of the time, so that nobody feels
    it; `--rest 0` is the quickest, for a shop that nobody visits.

    Examples: `tfmshop search reindex`, `tfmshop search reindex --language german --rest 0 --json`
    """

    async def work(platform: Platform) -> search.Reindexed:
        wanted = language or platform.config.text("SEARCH_LANGUAGE")
        with progress_bar() as bar:
            return await search.reindex(platform.db, wanted, bar, rest)

    started = monotonic()
    done = host_of(context).with_platform(work)
    seconds = monotonic() - started
    if as_json:
        print_json({"products": done.products, "resumed": done.resumed, "seconds": round(seconds, 2)})
    else:
        went = "Went on with a reindex that had been cut off: " if done.resumed else ""
        typer.echo(f"{went}{done.products:,} products in {seconds:.1f} s.")


@app.command("status")
def show_status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what search knows, what is being made, and how far jobs lag behind.

    Examples: `tfmshop search status`, `tfmshop search status --json`
    """

    async def work(platform: Platform) -> search.Status:
        async with platform.db.read() as tx:
            return await search.status(tx)

    now = host_of(context).with_platform(work)
    if as_json:
        print_json(now)
        return

    def lag(waiting: Waiting) -> str:
        return f"{waiting.jobs:,} waiting, oldest {waiting.oldest_seconds:.1f} s" if waiting.jobs else "up to date"

    learnt = f"{now.words:,}, learnt {now.learnt_at:%Y-%m-%d %H:%M}" if now.learnt_at else "not learnt yet"
    meaning = f"about {now.meant:,} products by {now.model}; {lag(now.meanings)}" if now.model else "off"
    reindex = f"to {now.reindexing}, {now.reindexed:,} of {now.entries:,} products" if now.reindexing else "none"
    print_table(("search", ""), [
        ("language", now.language), ("products", f"{now.entries:,}"), ("words", learnt), ("reindex", reindex),
        ("categories", lag(now.categories)), ("meaning", meaning),
    ])  # fmt: skip


@app.command("learn")
def learn(context: typer.Context) -> None:
    """Learn the words of the catalogue and its most popular products now; the job runner does it every ten minutes.

    Example: `tfmshop search learn`
    """

    async def work(platform: Platform) -> bool:
        return await search.learn(platform.db, always=True)

    host_of(context).with_platform(work)


@app.command("meaning")
def meaning(
    context: typer.Context,
    off: Annotated[bool, typer.Option("--off", help="Forget it all; queries go by their words alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn what products mean, so that a query whose words nothing has finds what is about the same.

    Needs SEARCH_MEANING=local. Interrupted, it goes on where it was; after that a job follows every change.

    Examples: `SEARCH_MEANING=local tfmshop search meaning`, `tfmshop search meaning --off`
    """

    async def work(platform: Platform) -> int:
        if off:
            await search.meaning.forget(platform.db)
            return 0
        if platform.model is None:
            raise Failure("Meaning is switched off: set SEARCH_MEANING=local.")
        with progress_bar() as bar:
            return await search.meaning.understand(platform.db, platform.model, bar)

    started = monotonic()
    learnt = host_of(context).with_platform(work)
    seconds = monotonic() - started
    if as_json:
        print_json({"learnt": learnt, "seconds": round(seconds, 2)})
    else:
        typer.echo("Meaning is forgotten." if off else f"The meaning of {learnt:,} products, in {seconds:.1f} s.")


@app.command("synonyms")
def list_synonyms(context: typer.Context, as_json: AsJson = False) -> None:
    """List every synonym.

    Examples: `tfmshop search synonyms`, `tfmshop search synonyms --json`
    """

    async def work(platform: Platform) -> list[search.Synonym]:
        async with platform.db.read() as tx:
            return await search.synonyms(tx)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(("language", "term", "also means"), [(r.language, r.term, ", ".join(r.means)) for r in rows])


@app.command("synonym")
def set_synonym(
    context: typer.Context,
    term: Term,
    means: Annotated[list[str] | None, typer.Argument(help="What it also means; nothing takes the term out.")] = None,
    language: Annotated[str | None, typer.Option(help="Default: the language of the projection.")] = None,
) -> None:
    """Who looks for the term also looks for what it means; without meanings, the term is taken out.

    Examples: `tfmshop search synonym telly television "flat screen"`, `tfmshop search synonym telly`
    """

    async def work(platform: Platform) -> bool:
        async with platform.db.tx() as tx:
            if means:
                await search.set_synonym(tx, term, means, language)
                return True
            return await search.drop_synonym(tx, term, language) is not None

    if not host_of(context).with_platform(work):
        raise Failure(f"There is no synonym for {term!r}.")


@app.command("missed")
def list_missed(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was looked for in vain, most frequent first.

    Examples: `tfmshop search missed`, `tfmshop search missed --limit 100 --json`
    """

    async def work(platform: Platform) -> list[search.Missed]:
        async with platform.db.read() as tx:
            return await search.missed(tx, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(("words", "times", "last"), [(r.words, r.times, f"{r.last_at:%Y-%m-%d %H:%M}") for r in rows])
