"""Train the Structure Correction Module behind a trained generator.

    accelerate launch examples/train_scm.py --config examples/configs/gendeg-tiny/scm.yaml \
        --pipeline runs/gendeg-tiny/generator --photos photos/ --output-dir runs/gendeg-tiny/scm

Every setting of `SCMConfig` can be given in the YAML file or on the command line. A stopped run goes on with
`--resume`. The result is the generator's pipeline with the module in it, a folder for `GenDegPipeline.from_pretrained`.
"""

import torch

from gendeg.training import train
from gendeg.training.command import plain_errors
from gendeg.training.config import parse_config
from gendeg.training.scm import SCMConfig, SCMRecipe, load_trained_generator
from gendeg.training.sources import training_pairs, validation_items


def main() -> None:
    """Read the settings and train."""
    config = parse_config(SCMConfig)
    torch.manual_seed(config.seed)
    train(SCMRecipe(config, load_trained_generator(config)), training_pairs(config), validation_items(config), config)


if __name__ == "__main__":
    with plain_errors():
        main()
