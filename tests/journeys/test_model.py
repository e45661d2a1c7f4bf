"""R8, small: random lives of a shop beside its model."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.model import ShopMachine


def test_a_shop_does_what_its_model_does():
    run_state_machine_as_test(
        ShopMachine,
        settings=settings(max_examples=12, stateful_step_count=20, deadline=None, database=None,
                          phases=(Phase.generate,),
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
