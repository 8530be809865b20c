"""Physical models of the six degradations, with the same call as the pipeline."""

from gendeg.simulators.batch import SimulatedBatch, simulate_batch
from gendeg.simulators.images import simulate
from gendeg.simulators.registry import SIMULATORS, model_names, parse_simulation

__all__ = ["SIMULATORS", "SimulatedBatch", "model_names", "parse_simulation", "simulate", "simulate_batch"]
