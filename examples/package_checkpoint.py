r"""Put a trained pipeline or restorer into the package, in half precision (a pipeline's small text encoder in full).

python examples/package_checkpoint.py --pipeline runs/gendeg-tiny/captions \
    --output src/gendeg/resources/checkpoints/gendeg-tiny
python examples/package_checkpoint.py --restorer runs/nafnet-tiny \
    --output src/gendeg/resources/checkpoints/nafnet-tiny

A pipeline gets the sampler with which the packaged one is measured, SDE-DPM-Solver++. The model card
(`README.md`) is written by hand and stays as it is; where there is none yet, it is that of the training run.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import DPMSolverMultistepScheduler

from gendeg import GenDegPipeline
from gendeg.models.auto import AutoRestorer

DTYPES = {"float16": torch.float16, "float32": torch.float32}


def save_pipeline(source: Path, target: Path, dtype: torch.dtype) -> None:
    """Write a pipeline's weights as safetensors, with a stochastic sampler (SDE-DPM-Solver++, arXiv 2211.01095).

    In a few steps it draws streaks, flakes and drops more distinctly than DDIM, whose errors add up: the noise that it
    adds covers them.
    """
    pipe = GenDegPipeline.from_pretrained(source).to(dtype)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, algorithm_type="sde-dpmsolver++")
    pipe.text_encoder.to(torch.float32)  # transformers, unlike diffusers, loads weights in the type they were saved in
    pipe.save_pretrained(target)


def save_restorer(source: Path, target: Path, dtype: torch.dtype, tlc_window: int | None) -> None:
    """Write a restorer's weights as safetensors."""
    options = {} if tlc_window is None else {"tlc_window": tlc_window}
    AutoRestorer.from_pretrained(source, **options).to(dtype).save_pretrained(target)


def clean_configs(folder: Path) -> None:
    """Remove where the weights lay, and the entry that AutoencoderTiny adds to its config and warns of on loading."""
    for path in [*folder.glob("model_index.json"), *folder.glob("config.json"), *folder.glob("*/config.json")]:
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        if config.get("_class_name") == "AutoencoderTiny":
            config.pop("block_out_channels", None)
        path.write_text(json.dumps(config, indent=2) + "\n")


def copy_card(source: Path, output: Path, target: Path) -> None:
    """The packaged checkpoint's own model card, or else that of the run."""
    for card in (output / "README.md", source / "README.md"):
        if card.exists():
            shutil.copy(card, target / "README.md")
            return


def main(
    output: Annotated[Path, typer.Option(help="Folder of the packaged checkpoint; its README.md is kept.")],
    pipeline: Annotated[Path | None, typer.Option(help="Folder of the trained pipeline.")] = None,
    restorer: Annotated[Path | None, typer.Option(help="Folder of the trained restorer.")] = None,
    dtype: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    tlc_window: Annotated[int | None, typer.Option(help="Of a NAFNet that was trained on crops of this side.")] = None,
) -> None:
    """Write the weights as safetensors, and a clean configuration."""
    source = pipeline or restorer
    if source is None or (pipeline and restorer) or dtype not in DTYPES:
        raise typer.BadParameter("give either --pipeline or --restorer, and --dtype float16 or float32")
    temporary = output.with_name(f"{output.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was stopped
    if pipeline:
        save_pipeline(source, temporary, DTYPES[dtype])
    else:
        save_restorer(source, temporary, DTYPES[dtype], tlc_window)
    clean_configs(temporary)
    copy_card(source, output, temporary)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
