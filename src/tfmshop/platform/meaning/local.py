"""A small model that comes with its package, and needs neither a graphics card nor the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wordllama


class LocalModel:
    """WordLlama: a text is the mean of its tokens, which were taken from a large language model (MIT licence)."""

    name = "wordllama-l2-supercat-256"
    dimensions = 256

    def __init__(self) -> None:
        # The package looks for its tokenizer in a folder of another name than the one it brings.
        own_files = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(dim=self.dimensions, cache_dir=own_files, disable_download=True)

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        """The numbers of each text (see `Model`)."""
        made = self._model.embed(list(texts), norm=False)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        numbers: list[list[float]] = (made / np.maximum(lengths, 1e-9)).tolist()
        return numbers
