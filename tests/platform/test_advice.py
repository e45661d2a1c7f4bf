"""What is recommended of a cache: what is wrong is named, with its figures, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from tfmshop.platform.cache import Tally
from tfmshop.platform.cache.advice import MIB, advise
from tfmshop.platform.cache.report import Report, are_warm

AGES = {"products": "CACHE_TTL_PRODUCTS", "search": "CACHE_TTL_SEARCH"}
GOOD = Tally(hits=9800, misses=200, shared=50, rebuilds=150, stale=10, seconds=1.5)


def process(*, size: float = 20, evicted: int = 0, sure: bool = True, redis: bool = True, **kinds: Tally) -> Report:
    return Report(100, int(size * MIB), evicted, sure, redis, 0, kinds or {"products": GOOD}, [])


EMPTY = msgspec.structs.replace(process(), entries=0)


def test_nothing_is_recommended_of_a_cache_that_works():
    assert advise([process(), process()], 64, AGES) == []


@pytest.mark.parametrize(
    ("reports", "name", "evidence", "do"),
    [
        ([process(sure=False), process()], "changes are not heard", "1 of 2", "PgBouncer"),
        ([process(redis=False), process(redis=False)], "Redis is away", "2 of 2", "REDIS_URL"),
        ([process(size=63, evicted=100)], "memory is short", "100 of 200", "CACHE_MEMORY=128"),
        ([process(size=1)], "memory is not used", "1.0 of 64 MiB", "CACHE_MEMORY=16"),
        ([process(products=Tally(hits=9000, misses=100, shared=90, rebuilds=500, stale=480))],
         "products end by age", "480 of 500", "CACHE_TTL_PRODUCTS"),
        ([process(search=Tally(hits=800, misses=400, shared=100, rebuilds=300))],
         "search are found too rarely", "75.0% of 1,200", "CACHE_MEMORY"),
        ([process(products=Tally(hits=9900, misses=100, shared=50, rebuilds=50, seconds=10))],
         "products take long to make", "200 ms each", "CACHE_WARM"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_figures(reports, name, evidence, do):
    (found,) = advise(reports, 64, AGES)
    assert found.name == name
    assert evidence in found.evidence
    assert do in found.do


def test_a_process_alone_misses_no_redis():
    assert advise([process(redis=False)], 64, AGES) == []


def test_few_requests_say_nothing():
    assert advise([process(size=1, products=Tally(hits=1, misses=900, rebuilds=900, stale=800))], 64, AGES) == []


def test_a_cache_is_warm_when_every_process_that_hears_of_changes_has_made_its_pages():
    busy = msgspec.structs.replace(process(), warming=True)
    assert are_warm([process(), process()])
    assert not any(map(are_warm, ([], [process(), busy], [process(), process(sure=False)], [EMPTY])))
    assert are_warm([EMPTY, process()])
