"""`gendeg convert`: the authors' checkpoint as a pipeline folder."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' generator, e.g. gendeg.ckpt.")],
    config: Annotated[Path, typer.Option(help="Its YAML, e.g. generate.yaml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the pipeline to; new or empty.")],
    scm: Annotated[
        Path | None, typer.Option(help="Structure correction checkpoint, e.g. nafnet_sd.ckpt. [default: none]")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Folder of the CLIP tokenizer. [default: fetched from the Hugging Face hub]")
    ] = None,
    text_encoder_config: Annotated[
        Path | None, typer.Option(help="JSON of the text encoder's sizes. [default: deduced from the weights]")
    ] = None,
    raw_weights: Annotated[
        bool, typer.Option("--raw-weights", help="Take the raw weights of the UNet, not the averaged ones.")
    ] = False,
) -> None:
    """Turn the authors' checkpoint into a pipeline folder that every gendeg command reads.

        gendeg convert gendeg.ckpt --config generate.yaml --scm nafnet_sd.ckpt -o my-gendeg/
        gendeg degrade photo.jpg --degradation haze --model my-gendeg/ -o out.png

    Without network, pass the tokenizer of CLIP ViT-L/14: `--tokenizer clip-vit-large-patch14/`.
    """
    from gendeg import GenDegPipeline
    from gendeg.files import new_folder

    with new_folder(output) as folder:
        pipe = GenDegPipeline.from_original_checkpoint(
            checkpoint,
            config,
            scm_checkpoint=scm,
            tokenizer=tokenizer,
            text_encoder_config=text_encoder_config,
            use_ema=not raw_weights,
        )
        pipe.save_pretrained(folder)
    typer.echo(f"{output}: a pipeline for `gendeg degrade --model {output}` and `GenDegPipeline.from_pretrained`.")
