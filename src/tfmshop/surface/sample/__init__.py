"""Sample shops: a small pretty one, and one large enough to measure."""

from tfmshop.surface.sample.fill import Filled, Sample, fill
from tfmshop.surface.sample.performance import large, performance
from tfmshop.surface.sample.small import small

__all__ = ["Filled", "Sample", "fill", "large", "performance", "small"]
