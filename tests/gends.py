"""A data set of tiny pairs that is quick to make, for the tests of shards, folders, cards and loading."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image

from gendeg.data.gends.images import encode_image
from gendeg.data.gends.schema import Row
from gendeg.degradations import Degradation
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.shards import Shard, cut_shards, write_shard

CONFIG = {"seed": 0, "images": {"format": "png"}}
SHARDS = cut_shards({"train": 24, "validation": 6}, 10)
DEGRADATIONS = [name for name in Degradation if name != Degradation.SNOW]  # there is no snow here


def picture(*key: int) -> PIL.Image.Image:
    """A noise image that its numbers decide."""
    return PIL.Image.fromarray(np.random.default_rng(key).integers(0, 200, (12, 16, 3), dtype=np.uint8))


def rows(shard: Shard) -> Iterator[Row]:
    """Five rows a scene, one of them an existing pair; row 7 of a split is tried twice, row 8 given up."""
    for number in range(shard.start, shard.stop):
        name = DEGRADATIONS[number % 5]
        clean = picture(number // 5)
        common = {"row": number, "mixture": (name,), "scene_id": f"{shard.split}/{number // 5}", "source_set": "Set"}
        if name == Degradation.HAZE:
            images = {"degraded": encode_image(picture(number, 1)), "target": encode_image(clean)}
            yield Row(**common, **images, origin="existing", achieved_mu=0.2, achieved_sigma=0.1)
            continue
        request = {"origin": "generated", "mu": 0.1, "sigma": 0.05, "prompt": f"a street, {name.phrase}"}
        if number == 7:
            yield Row(
                **common,
                **request,
                seed=1,
                verdict="retried",
                reason="too weak: mu 0.0010 below 0.01",
                achieved_mu=0.001,
            )
        if number == 8:
            yield Row(**common, **request, seed=number, verdict="rejected", reason="flat image")
            continue
        degraded = encode_image(clean.point(lambda value, n=number: value + n))
        images = {"degraded": degraded, "target": encode_image(clean)}
        yield Row(**common, **request, **images, seed=number, achieved_mu=number / 255, achieved_sigma=0.0)


def make_dataset(folder: Path) -> Manifest:
    """Make all of it."""
    with DatasetFolder.open(folder, CONFIG, SHARDS) as output:
        for shard in output.missing():
            write_shard(folder, shard, rows(shard))
        return output.finalise()


def run(program: str, *arguments: object, **environment: str) -> str:
    """Run a program in a new process that can import this module; returns what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "HF_HUB_OFFLINE": "1"} | environment
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
