"""Training: one loop, a recipe for each network."""

from gendeg.training.loop import train
from gendeg.training.recipe import Recipe

__all__ = ["Recipe", "train"]
