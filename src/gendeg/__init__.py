"""Make, and remove, image degradations.

    clean image ─ severity prior ─▶ GenDegPipeline ─▶ alignment ─▶ degraded image + target + measured severity

Names are imported when first used, so that `import gendeg` is quick and needs no torch.
`datasets.load_dataset("gends")` works from then on.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gendeg.data.gends.registration import register as _register_gends
from gendeg.version import __version__ as __version__

_WHERE = {
    "AutoRestorer": "gendeg.models.auto",
    "Degradation": "gendeg.degradations",
    "DegradationConditioner": "gendeg.models.conditioning",
    "GenDegOutput": "gendeg.output",
    "GenDegPipeline": "gendeg.pipelines.gendeg",
    "NAFNet": "gendeg.models.nafnet",
    "PromptIR": "gendeg.models.promptir",
    "RandomDegradation": "gendeg.synthesis.random_degradation",
    "Severity": "gendeg.severity",
    "SeverityPrior": "gendeg.priors",
    "StructureCorrectionModule": "gendeg.models.scm",
    "SwinRestorer": "gendeg.models.swin",
    "checkpoint": "gendeg.checkpoints",
    "load_dataset": "gendeg.data.gends.registration",
    "measure_severity": "gendeg.severity",
    "simulate": "gendeg.simulators",
}

if TYPE_CHECKING:
    from gendeg.checkpoints import checkpoint
    from gendeg.data.gends.registration import load_dataset
    from gendeg.degradations import Degradation
    from gendeg.models.auto import AutoRestorer
    from gendeg.models.conditioning import DegradationConditioner
    from gendeg.models.nafnet import NAFNet
    from gendeg.models.promptir import PromptIR
    from gendeg.models.scm import StructureCorrectionModule
    from gendeg.models.swin import SwinRestorer
    from gendeg.output import GenDegOutput
    from gendeg.pipelines.gendeg import GenDegPipeline
    from gendeg.priors import SeverityPrior
    from gendeg.severity import Severity, measure_severity
    from gendeg.simulators import simulate
    from gendeg.synthesis.random_degradation import RandomDegradation

__all__ = [
    "AutoRestorer",
    "Degradation",
    "DegradationConditioner",
    "GenDegOutput",
    "GenDegPipeline",
    "NAFNet",
    "PromptIR",
    "RandomDegradation",
    "Severity",
    "SeverityPrior",
    "StructureCorrectionModule",
    "SwinRestorer",
    "checkpoint",
    "load_dataset",
    "measure_severity",
    "simulate",
]

_register_gends()


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gendeg' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
