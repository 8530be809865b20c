"""Enlarge the UNet of a tiny pipeline without changing what it computes; the next stage of training uses the rest.

    python examples/grow_tiny_pipeline.py --pipeline runs/gendeg-tiny/generator --output runs/gendeg-tiny/grown

New are residual blocks at full latent resolution, where flakes and drops are made (one on the way down, one on the way
up, each the identity at first), and a path by which text and severity reach every block along with the noise level
(zero at first). Like Net2Net (arXiv 1511.05641). The native area of the pipeline becomes 384 x 384.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from gendeg import GenDegPipeline

HEADS = 4  # of the attention that pools text and severity
SAMPLE_SIZE = 96  # photos are worked on at their own size, up to this many latents squared


def main(
    pipeline: Annotated[Path, typer.Option(help="Folder of the pipeline to enlarge.")],
    output: Annotated[Path, typer.Option(help="Folder to write the larger pipeline to.")],
    seed: Annotated[int, typer.Option(help="Seed of the new weights.")] = 0,
) -> None:
    """Enlarge a pipeline."""
    torch.manual_seed(seed)
    pipe = GenDegPipeline.from_pretrained(str(pipeline))
    pipe.register_modules(unet=grow(pipe.unet))
    pipe.save_pretrained(output)
    parameters = sum(parameter.numel() for parameter in pipe.unet.parameters())
    print(f"Pipeline with {parameters / 1e6:.1f} M UNet parameters: {output}")


def grow(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The larger network, which computes the same."""
    if unet.config.layers_per_block != 1:
        raise typer.BadParameter("Its UNet has been enlarged already: layers_per_block is not 1.")
    settings = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    grown = UNet2DConditionModel(
        **settings
        | {
            "layers_per_block": [2] + [1] * (len(unet.config.down_block_types) - 1),
            "addition_embed_type": "text",
            "addition_embed_type_num_heads": HEADS,
            "sample_size": SAMPLE_SIZE,
        }
    )
    grown.load_state_dict(grown.state_dict() | moved_last_block(unet.state_dict()))
    nn.init.zeros_(grown.add_embedding.norm2.weight)
    make_identity(grown.down_blocks[0].resnets[1])
    make_identity(grown.up_blocks[-1].resnets[1])
    return grown


def moved_last_block(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The last residual block of the way up, number 1, becomes number 2: it reads what the first convolution made."""
    last = max(name.split(".")[1] for name in weights if name.startswith("up_blocks."))
    before, after = f"up_blocks.{last}.resnets.1.", f"up_blocks.{last}.resnets.2."
    return {name.replace(before, after): weight for name, weight in weights.items()}


def make_identity(block: nn.Module) -> None:
    """A residual block that gives back its input, or the first half of it where it halves the channels."""
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    if block.conv_shortcut is not None:
        nn.init.dirac_(block.conv_shortcut.weight)
        nn.init.zeros_(block.conv_shortcut.bias)


if __name__ == "__main__":
    typer.run(main)
