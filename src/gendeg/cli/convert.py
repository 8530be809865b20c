"""`gendeg convert`: the authors' checkpoints as folders that gendeg reads."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' file (.ckpt, .pth, .safetensors, ...).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to; new or empty.")],
    config: Annotated[
        Path | None, typer.Option(help="Generator: its YAML, e.g. generate.yaml. Restorers need none.")
    ] = None,
    scm: Annotated[
        Path | None,
        typer.Option(
            help="Generator: checkpoint of its structure correction (SCM), e.g. nafnet_sd.ckpt. [default: none]"
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Generator: folder of the CLIP tokenizer. [default: fetched from the Hugging Face hub]"),
    ] = None,
    text_encoder_config: Annotated[
        Path | None,
        typer.Option(help="Generator: JSON of the text encoder's sizes. [default: deduced from the weights]"),
    ] = None,
    raw_weights: Annotated[
        bool, typer.Option("--raw-weights", help="Generator: take the raw weights of the UNet, not the averaged ones.")
    ] = False,
) -> None:
    """Convert the authors' checkpoints: generator (with its SCM), NAFNet, PromptIR or Restormer.

    The result is a folder that every gendeg command reads.

    A restorer, recognised by the names of its weights (NAFNet, PromptIR, Restormer):

        gendeg convert NAFNet-GoPro-width32.pth -o nafnet-gopro/
        gendeg restore blurred.png --model nafnet-gopro/ -o sharp.png

    The generator, with its YAML:

        gendeg convert gendeg.ckpt --config generate.yaml --scm nafnet_sd.ckpt -o my-gendeg/
        gendeg degrade photo.jpg --degradation haze --model my-gendeg/ -o out.png

    Without network, pass the tokenizer of CLIP ViT-L/14: `--tokenizer clip-vit-large-patch14/`.

    Restorers of other architectures (SwinIR, MPRNet, ...) are not converted: `gendeg restore --model` takes their file.
    """
    from gendeg import GenDegPipeline
    from gendeg.errors import InputError
    from gendeg.files import new_folder

    of_generators = {
        "--scm": scm,
        "--tokenizer": tokenizer,
        "--text-encoder-config": text_encoder_config,
        "--raw-weights": raw_weights or None,
    }
    given = [name for name, value in of_generators.items() if value is not None]
    if config is None and given:
        raise InputError(f"{', '.join(given)} only concerns a generator, which needs its YAML: --config generate.yaml.")
    with new_folder(output) as folder:
        if config is None:
            _convert_restorer(checkpoint, folder)
        else:
            pipe = GenDegPipeline.from_original_checkpoint(
                checkpoint,
                config,
                scm_checkpoint=scm,
                tokenizer=tokenizer,
                text_encoder_config=text_encoder_config,
                use_ema=not raw_weights,
            )
            pipe.save_pretrained(folder)
    if config is None:
        typer.echo(f"{output}: a restorer for `gendeg restore --model {output}` and `AutoRestorer.from_pretrained`.")
    else:
        typer.echo(f"{output}: a pipeline for `gendeg degrade --model {output}` and `GenDegPipeline.from_pretrained`.")


def _convert_restorer(checkpoint: Path, folder: Path) -> None:
    from gendeg import AutoRestorer
    from gendeg.checkpoints import read_state_dict
    from gendeg.errors import CheckpointError, InputError
    from gendeg.models.auto import recognise

    names = list(read_state_dict(checkpoint))
    if _is_generator(names):
        raise InputError(f"{checkpoint} is a generator, which needs its YAML: --config generate.yaml.")
    if recognise(names) is None:
        raise CheckpointError(
            f"{checkpoint} is neither a NAFNet, a PromptIR nor a generator; its names begin with "
            f"{', '.join(sorted(names)[:3])}. Files of other restorers are not converted: give the file itself to "
            "`gendeg restore --model` or `AutoRestorer.from_pretrained`."
        )
    AutoRestorer.from_original_checkpoint(checkpoint).save_pretrained(folder)


def _is_generator(names: Iterable[str]) -> bool:
    return any(name.startswith("model.diffusion_model.") for name in names)
