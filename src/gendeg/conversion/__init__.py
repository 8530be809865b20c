"""The authors' and third parties' checkpoints, turned into diffusers and transformers components."""

from gendeg.conversion.original import load_original_components
from gendeg.conversion.stable_diffusion import load_stable_diffusion_components, widen_unet

__all__ = ["load_original_components", "load_stable_diffusion_components", "widen_unet"]
