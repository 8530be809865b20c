"""Degrade on the fly: a transform for any PyTorch data set, with the severities of a planned data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gendeg.arguments import is_list, one_each, read_int
from gendeg.degradations import Degradation, Mixture, build_prompt, mixture_of_set
from gendeg.errors import InputError
from gendeg.imaging import Image, to_batch
from gendeg.output import GenDegOutput, convert_images
from gendeg.pipelines.gendeg import GenDegPipeline
from gendeg.priors import SeverityPrior, given_prior
from gendeg.simulators import simulate
from gendeg.synthesis.config import ALL
from gendeg.synthesis.keyed import SEED_BITS, keyed_fraction, keyed_uniforms, noise_seed

SIMULATOR = "simulator"
OPTIONS = (
    "alignment",
    "calibrate",
    "resolution",
    "num_inference_steps",
    "guidance_scale",
    "image_guidance_scale",
)


@dataclass(frozen=True)
class Draw:
    """What is drawn for one image: what degrades it, how strongly, from the statistics of which data set."""

    seed: int
    mixture: Mixture
    source_set: str
    mu: float
    sigma: float
    at_random: bool


class RandomDegradation:
    """Degrade clean images while they are loaded: each time by another degradation, at another severity.

    Degradations are drawn evenly, severities as `gendeg synthesize` draws them: a source set by weight, mu from its
    histogram, sigma from the images in that mu bin, one image in 20 at random (paper section 3.3); source sets that are
    mixtures give mixtures. Nothing is filtered: `achieved_mu` and `achieved_sigma` say what came out.

    Everything about a sample depends on the image and one number, its seed. Unless a call names one, it is drawn from
    torch's global generator. A `DataLoader` seeds that in each worker with its base seed plus the worker's number, and
    draws a new base seed for each epoch: samples differ between workers and epochs, and `torch.manual_seed`, or the
    `generator` of the loader, repeats them all.

    Args:
        degradations: names of those wanted, one by one: mixtures come from source sets that are some. All six by
            default. One that stands here twice is drawn twice as often.
        prior: where severities are drawn from; None for `SeverityPrior.published()`, whose mode `"official"` makes the
            random draws as the authors' program does.
        backend: `"simulator"`: physical models, on the image's own device, in any number of workers. Or a
            `GenDegPipeline`, on the device that it was moved to: on a GPU, call the transform with batches in the
            training loop, since the workers of a loader cannot share one.
        **options: of every call of the pipeline: `alignment`, `calibrate`, `resolution`, `num_inference_steps`,
            `guidance_scale`, `image_guidance_scale` (see `GenDegPipeline`).

    Raises:
        InputError: no degradation, one that the prior does not know, no prior, another backend, or unknown options.
        UnknownDegradationError: not one of the six.
    """

    def __init__(
        self,
        degradations: Sequence[str | Degradation] = ALL,
        *,
        prior: SeverityPrior | None = None,
        backend: str | GenDegPipeline = SIMULATOR,
        **options: Any,
    ):
        self.degradations = [Degradation(name) for name in one_each(degradations, 1)]
        self.prior = given_prior(prior)
        self.backend = backend
        self.options = options
        if not self.degradations:
            raise InputError(f"Name at least one degradation: {', '.join(Degradation)}.")
        for name in self.degradations:
            self.prior.datasets(name)  # refuses those that it does not know
        _check_backend(backend, options)

    def __call__(
        self, image: Image, prompt: str | Sequence[str | None] | None = None, *, seed: int | None = None
    ) -> dict[str, Any]:
        """Degrade one image, or each image of a batch by its own draw.

        Args:
            image: PIL image, array (H, W, 3) or tensor (3, H, W), or many: a list of those, an array (B, H, W, 3), a
                tensor (B, 3, H, W). uint8, or float in [0, 1].
            prompt: description of the scene, or one for each image; only the pipeline looks at it.
            seed: number >= 0 that fixes all that is drawn, e.g. the index of a validation image; image i of a batch
                takes `seed + i`. None draws it, see the class.

        Returns:
            Columns of GenDS, which `default_collate` stacks; of a batch with the first axis B, texts as lists:

            - `degraded`, `target`: the pair, float32 tensors (3, H, W) in [0, 1], on the device of `image`; of a batch
              of different sizes, lists;
            - `degradation`: index of the (leading) degradation in `list(Degradation)`; `mixture`: e.g. `"rain+haze"`;
            - `mu`, `sigma`: the severity drawn; `achieved_mu`, `achieved_sigma`: measured on the pair; float32;
            - `source_set`: data set whose statistics were drawn from; `random_severity`: whether one of the 1 in 20;
            - `prompt`: what the pipeline read; `seed`: of the sample.

        Raises:
            ImageError: not images, or too small ones.
            InputError: a seed that is none, another number of prompts, or one that is not text.
            CheckpointError: the pipeline's networks returned NaN.
        """
        images, single = to_batch(image)
        if is_list(prompt) and len(prompt or ()) != len(images):
            raise InputError(f"Got {len(prompt or ())} prompts for {len(images)} images; give one, or one for each.")
        draws = [self._draw(one) for one in _seeds(seed, len(images))]
        prompts = [build_prompt(*pair) for pair in zip(one_each(prompt, len(images)), _mixtures(draws), strict=True)]
        batch = _columns(images, draws, prompts, self._degrade(images, draws, prompts))
        return {name: values[0] for name, values in batch.items()} if single else batch

    def _draw(self, seed: int) -> Draw:
        key = str(seed)
        choice = int(keyed_fraction(f"{key}/degradation") * len(self.degradations))
        degradation = self.degradations[choice]
        drawn = self.prior.transform(degradation, keyed_uniforms([key]))
        source_set = self.prior.datasets(degradation)[int(drawn.source[0])]
        mixture = mixture_of_set(degradation, source_set)
        return Draw(seed, mixture, source_set, float(drawn.mu[0]), float(drawn.sigma[0]), bool(drawn.at_random[0]))

    def _degrade(self, images: list[Tensor], draws: list[Draw], prompts: list[str]) -> GenDegOutput:
        request = ([draw.mu for draw in draws], [draw.sigma for draw in draws])
        seeds = [noise_seed(str(draw.seed), 0) for draw in draws]
        if isinstance(self.backend, GenDegPipeline):
            generators = [torch.Generator().manual_seed(one) for one in seeds]
            return self.backend(
                images, _mixtures(draws), *request, prompts, generator=generators, output_type="pt", **self.options
            )
        names = ["+".join(mixture) for mixture in _mixtures(draws)]
        return simulate(images, names, *request, seed=seeds, output_type="pt")


def _check_backend(backend: Any, options: dict[str, Any]) -> None:
    is_pipeline = isinstance(backend, GenDegPipeline)
    if not is_pipeline and backend != SIMULATOR:
        raise InputError(
            f"backend={backend!r} is neither 'simulator' nor a GenDegPipeline; load one with "
            "GenDegPipeline.from_pretrained(gendeg.checkpoint('gendeg-tiny'))."
        )
    accepted = OPTIONS if is_pipeline else ()
    unknown = [name for name in options if name not in accepted]
    if unknown:
        raise InputError(f"Unknown options {', '.join(unknown)}; this backend takes {', '.join(accepted) or 'none'}.")


def _seeds(seed: int | None, count: int) -> list[int]:
    """One seed for each image."""
    if seed is None:
        return torch.randint(2**SEED_BITS, (count,)).tolist()
    first = read_int("seed", seed)
    if not 0 <= first < 2**SEED_BITS:
        raise InputError(f"seed={seed} is not in [0, 2^{SEED_BITS}).")
    return list(range(first, first + count))


def _mixtures(draws: list[Draw]) -> list[Mixture]:
    return [draw.mixture for draw in draws]


def _columns(images: list[Tensor], draws: list[Draw], prompts: list[str], output: GenDegOutput) -> dict[str, Any]:
    """The samples of a batch, column by column."""
    leading = [list(Degradation).index(draw.mixture[0]) for draw in draws]
    return {
        "degraded": _beside(images, output.images),
        "target": _beside(images, output.targets),
        "degradation": torch.tensor(leading),
        "mixture": ["+".join(draw.mixture) for draw in draws],
        "prompt": prompts,
        "mu": _floats(output.requested.mu),
        "sigma": _floats(output.requested.sigma),
        "achieved_mu": _floats(output.achieved.mu),
        "achieved_sigma": _floats(output.achieved.sigma),
        "source_set": [draw.source_set for draw in draws],
        "random_severity": torch.tensor([draw.at_random for draw in draws]),
        "seed": torch.tensor([draw.seed for draw in draws]),
    }


def _beside(images: list[Tensor], results: Sequence[Tensor]) -> Any:
    """Results on the devices of the images they were made from, stacked where sizes agree."""
    return convert_images([result.to(image.device) for image, result in zip(images, results, strict=True)], "pt")


def _floats(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
