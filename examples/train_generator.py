"""Train the generator of degradations: UNet and conditioning network of a `GenDegPipeline`.

Small, on a CPU or any GPU, from the folder that `create_tiny_pipeline.py` writes:

    accelerate launch examples/train_generator.py --config examples/configs/gendeg-tiny/generator.yaml \
        --pipeline runs/gendeg-tiny/untrained --photos photos/ --output-dir runs/gendeg-tiny/generator

Stable Diffusion size, as the paper trains it:

    accelerate launch examples/train_generator.py --config examples/configs/stable-diffusion/generator.yaml \
        --base-model stable-diffusion-v1-5/stable-diffusion-v1-5 --data pairs/ --output-dir runs/gendeg

Every setting of `GeneratorConfig` can be given in the YAML file or on the command line. A stopped run goes on with
`--resume`. The result is a folder for `GenDegPipeline.from_pretrained`.
"""

import torch

from gendeg.training import train
from gendeg.training.command import plain_errors
from gendeg.training.config import parse_config
from gendeg.training.generator import GeneratorConfig, GeneratorRecipe, load_generator, load_teacher
from gendeg.training.sources import training_pairs, validation_items


def main() -> None:
    """Read the settings and train."""
    config = parse_config(GeneratorConfig)
    torch.manual_seed(config.seed)
    pipeline = load_generator(config)
    recipe = GeneratorRecipe(config, pipeline, load_teacher(config, pipeline))
    train(recipe, training_pairs(config), validation_items(config), config)


if __name__ == "__main__":
    with plain_errors():
        main()
