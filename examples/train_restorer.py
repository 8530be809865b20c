"""Train a restorer: one network that removes haze, rain, snow, motion blur, low light and raindrops.

From your own photos, degraded by the simulators, small enough for a CPU:

    accelerate launch examples/train_restorer.py --config examples/configs/nafnet-tiny/restorer-start.yaml \
        --photos photos/ --output-dir runs/my-restorer

The paper's restorers, on existing pairs, on a data set that a generator made, or on both:

    accelerate launch examples/train_restorer.py --config examples/configs/restorers/nafnet-gends.yaml \
        --data gends/ existing/ --output-dir runs/nafnet-gends

Every setting of `RestorerConfig` can be given in the YAML file or on the command line. A stopped run goes on with
`--resume`. The result, and the best one so far in `best/`, is a folder for `gendeg.AutoRestorer.from_pretrained`.
"""

import torch

from gendeg.training import train
from gendeg.training.command import plain_errors
from gendeg.training.config import parse_config
from gendeg.training.crops import restoration_crops, restoration_items
from gendeg.training.restorer import RestorerRecipe, load_restorer
from gendeg.training.restorer_config import RestorerConfig


def main() -> None:
    """Read the settings and train."""
    config = parse_config(RestorerConfig)
    torch.manual_seed(config.seed)
    train(RestorerRecipe(config, load_restorer(config)), restoration_crops(config), restoration_items(config), config)


if __name__ == "__main__":
    with plain_errors():
        main()
