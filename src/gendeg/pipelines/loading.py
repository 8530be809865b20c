"""Load a pipeline by name: packaged, a folder, or on the hub; quietly, on the wanted device."""

from pathlib import Path

from safetensors import SafetensorError

from gendeg.errors import CheckpointError, first_line
from gendeg.models.loading import find_model, quiet_libraries, to_device
from gendeg.pipelines.gendeg import GenDegPipeline


def load_pipeline(model: str, device: str | None) -> GenDegPipeline:
    """Load a pipeline, quietly.

    Args:
        model: a folder, a name on the hub (`owner/name`), or the name of a packaged checkpoint.
        device: torch's name of it; None for CUDA where there is one, else the CPU.

    Raises:
        CheckpointError: no such pipeline.
        InputError: no such device.
    """
    quiet_libraries()
    folder = Path(model)
    if folder.exists() and not (folder / "model_index.json").is_file():
        raise CheckpointError(
            f"{model} is not a pipeline folder: it has no model_index.json. `gendeg convert` makes one from the "
            "authors' checkpoint."
        )
    source = find_model(model)
    try:
        pipe = GenDegPipeline.from_pretrained(source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"Cannot load a GenDegPipeline from {model}: {first_line(error)}") from error
    pipe.set_progress_bar_config(disable=True)
    return to_device(pipe, device)
