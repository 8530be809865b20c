r"""Put a trained pipeline into the package, in half precision (its small text encoder in full).

python examples/package_checkpoint.py --pipeline runs/gendeg-tiny/scm \
    --output src/gendeg/resources/checkpoints/gendeg-tiny

The model card (`README.md`) of the packaged checkpoint is written by hand and stays as it is.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer

from gendeg import GenDegPipeline


def clean_configs(folder: Path) -> None:
    """Remove where the weights lay, and the entry that AutoencoderTiny adds to its config and warns of on loading."""
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        if config.get("_class_name") == "AutoencoderTiny":
            config.pop("block_out_channels", None)
        path.write_text(json.dumps(config, indent=2) + "\n")


def main(
    pipeline: Annotated[Path, typer.Option(help="Folder of the trained pipeline.")],
    output: Annotated[Path, typer.Option(help="Folder of the packaged checkpoint; its README.md is kept.")],
) -> None:
    """Write the pipeline's weights as float16 safetensors."""
    pipe = GenDegPipeline.from_pretrained(pipeline).to(torch.float16)
    pipe.text_encoder.to(torch.float32)  # transformers, unlike diffusers, loads weights in the type they were saved in
    temporary = output.with_name(f"{output.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was stopped
    pipe.save_pretrained(temporary)
    clean_configs(temporary)
    if (output / "README.md").exists():
        shutil.copy(output / "README.md", temporary / "README.md")
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
