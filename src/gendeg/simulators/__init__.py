"""Physical models of the six degradations, with the same call as the pipeline."""

from gendeg.simulators.batch import SimulatedBatch, simulate_batch
from gendeg.simulators.images import simulate
from gendeg.simulators.registry import SIMULATORS, model_names

__all__ = ["SIMULATORS", "SimulatedBatch", "model_names", "simulate", "simulate_batch"]
