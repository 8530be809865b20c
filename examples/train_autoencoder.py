"""Train the small autoencoder of a generator.

    accelerate launch examples/train_autoencoder.py --config examples/configs/gendeg-tiny/autoencoder.yaml \
        --photos photos/ --output-dir runs/gendeg-tiny/autoencoder

Every setting of `AutoencoderConfig` can be given in the YAML file or on the command line. A stopped run goes on with
`--resume`. The result is a folder for `diffusers.AutoencoderTiny.from_pretrained`.
"""

import torch

from gendeg.training import train
from gendeg.training.autoencoder import AutoencoderConfig, AutoencoderRecipe
from gendeg.training.command import plain_errors
from gendeg.training.config import parse_config
from gendeg.training.sources import training_pairs, validation_items


def main() -> None:
    """Read the settings and train."""
    config = parse_config(AutoencoderConfig)
    torch.manual_seed(config.seed)
    train(AutoencoderRecipe(config), training_pairs(config), validation_items(config), config)


if __name__ == "__main__":
    with plain_errors():
        main()
