"""Load a pipeline by name: packaged, a folder, or on the hub; quietly, on the wanted device."""

from gendeg.models.loading import find_model, quiet_libraries, to_device
from gendeg.pipelines.gendeg import GenDegPipeline


def load_pipeline(model: str, device: str | None) -> GenDegPipeline:
    """Load a pipeline, quietly.

    Args:
        model: a folder, a name on the hub (`owner/name`), or the name of a packaged checkpoint.
        device: torch's name of it; None for CUDA where there is one, else the CPU.

    Raises:
        CheckpointError: no such pipeline, or a broken one.
        InputError: no such device.
    """
    quiet_libraries()
    pipe = GenDegPipeline.from_pretrained(find_model(model))
    pipe.set_progress_bar_config(disable=True)
    return to_device(pipe, device)
