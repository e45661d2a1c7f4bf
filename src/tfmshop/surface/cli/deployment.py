"""The steps of a deployment, as they are told."""

from __future__ import annotations

import time

import msgspec

from tfmshop.surface.cli.output import out, print_json
from tfmshop.surface.cli.production import show
from tfmshop.surface.readiness import Checked


class Step(msgspec.Struct):
    """A step of a deployment: what it said, the boxes that were not ticked, and seconds."""

    step: str
    said: list[str] = []
    boxes: list[Checked] = []
    seconds: float = 0.0


class Deployment:
    """The steps of a deployment, told one by one to people, or at the end as one document to a script."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._begun = 0.0
        self.steps: list[Step] = []

    def step(self, name: str) -> None:
        """Begin the next step."""
        self._over()
        self._begun = time.monotonic()
        self.steps.append(Step(name))
        if not self._as_json:
            out.print(f"[bold]{name}[/bold]")

    def say(self, text: str) -> None:
        """Tell what came of a step."""
        self.steps[-1].said.append(text)
        if not self._as_json:
            out.print(text, markup=False)

    def show(self, boxes: list[Checked]) -> None:
        """Tell which boxes are not ticked."""
        self.steps[-1].boxes = boxes
        if not self._as_json:
            show(boxes, as_json=False)

    def end(self, why: str | None) -> None:
        """Tell how it ended: without a reason, the release serves."""
        self._over()
        if self._as_json:
            print_json({"deployed": why is None, "why": why, "steps": self.steps})

    def _over(self) -> None:
        if self.steps:
            self.steps[-1].seconds = round(time.monotonic() - self._begun, 2)
