"""Does a generated image show the degradation that was asked for? A classifier trained on simulated images judges.

python examples/benchmarks/classifier.py --photos path/to/photos --output runs/benchmarks/classifier.json

The classifier is a small convolutional network. It learns from training photos degraded by the simulators, at
severities from the published prior, made on the fly: it never sees a generated image. Then it names the degradation of
images generated from held-out photos. Since a weak degradation is hard to tell, the same photos are also simulated with
the same requests: the accuracy there is the ceiling.

Two classifiers judge. The blind one, whose share is the goal, sees the degraded image alone; it is wrong about some
simulated images too, since photos are hazy, dark or blurred to begin with. The other is also shown the change that the
photo underwent, `degraded - clean`: it tells whether what was added is of the right kind.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from common import (
    SIZE,
    Model,
    Photos,
    Sample,
    Seed,
    draw_samples,
    format_table,
    generate,
    load_pipeline,
    read_photos,
    simulate_sample,
    write_results,
)
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from gendeg import Degradation
from gendeg.training.pairs import SimulatedPairs, TrainingPairs

NAMES = [degradation.value for degradation in Degradation]
WIDTHS = (24, 48, 96, 128, 128)
LEARNING_RATE = 3e-3
BATCH_SIZE = 24


class Statistics(nn.Module):
    """Mean, maximum and standard deviation of every channel: (B, C, h, w) -> (B, 3C)."""

    def forward(self, features: Tensor) -> Tensor:
        """A degradation is known by its texture, wherever in the image it is."""
        return torch.cat([features.mean((2, 3)), features.amax((2, 3)), features.std((2, 3), correction=0)], dim=1)


def build_classifier(blind: bool) -> nn.Sequential:
    """Five convolutions of stride 2, and a linear layer on the statistics of the last one's output."""
    layers: list[nn.Module] = []
    channels = 3 if blind else 6
    for width in WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, Statistics(), nn.Dropout(0.2), nn.Linear(3 * channels, len(NAMES)))


def classifier_input(clean: Tensor, degraded: Tensor, blind: bool) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] as the classifier reads them: centred, and quantised as if they had been saved."""
    clean, degraded = ((image * 255).round() / 255 for image in (clean, degraded))
    centred = degraded - 0.5
    return centred if blind else torch.cat([centred, 4 * (degraded - clean)], dim=1)


def train(photos: Path, steps: int, size: int, blind: bool, seed: int) -> nn.Sequential:
    """Train on simulated degradations of training photos."""
    torch.manual_seed(seed)
    classifier = build_classifier(blind)
    optimizer = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    source = SimulatedPairs([str(photos)], "train", broad_share=0, mixture_share=0)
    batches = DataLoader(TrainingPairs(source, size, seed=seed), batch_size=BATCH_SIZE)
    with tqdm(islice(batches, steps), total=steps, desc="training the classifier") as progress:
        for batch in progress:
            labels = torch.tensor([NAMES.index(name) for name in batch["degradation"]])
            scores = classifier(classifier_input(batch["clean"], batch["degraded"], blind))
            loss = F.cross_entropy(scores, labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.set_postfix(loss=f"{loss.item():.3f}")
    return classifier.eval()


@torch.no_grad()
def confusion(classifier: nn.Sequential, images: Iterable[tuple[Sample, Tensor, Tensor]], blind: bool) -> np.ndarray:
    """How often each degradation (row) is given each name (column), (6, 6)."""
    counts = np.zeros((len(NAMES), len(NAMES)), dtype=int)
    for sample, degraded, clean in images:
        scores = classifier(classifier_input(clean[None], degraded[None], blind))
        counts[NAMES.index(sample.degradation), int(scores.argmax())] += 1
    return counts


def shares(counts: np.ndarray) -> dict[str, float]:
    """The share named right, for each degradation and over all images."""
    right = np.diag(counts)
    return dict(zip(NAMES, (right / counts.sum(axis=1)).tolist(), strict=True)) | {
        "all": float(right.sum() / counts.sum())
    }


def draw_figure(matrices: dict[str, np.ndarray]) -> Figure:
    """The confusion matrices side by side."""
    figure = Figure(figsize=(19, 4.6), layout="constrained")
    labels = [name.replace("_", " ") for name in NAMES]
    for axis, (title, counts) in zip(figure.subplots(1, len(matrices)), matrices.items(), strict=True):
        axis.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            axis.text(column, row, count or "", ha="center", va="center", color="white" if row == column else "black")
        axis.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
        axis.set_yticks(range(len(labels)), labels)
        axis.set(title=f"{title}: {shares(counts)['all']:.1%} named right", xlabel="named", ylabel="requested")
    return figure


def main(
    photos: Photos,
    output: Annotated[Path, typer.Option(help="JSON file to write; the figure is written beside it.")],
    model: Model = None,
    count: Annotated[int, typer.Option(help="Generated images, shared by the six degradations.")] = 240,
    batch_size: Annotated[int, typer.Option(help="Images generated together.")] = 8,
    training_steps: Annotated[
        int, typer.Option(help=f"Steps of training the classifier, {BATCH_SIZE} images each.")
    ] = 400,
    size: Annotated[int, typer.Option(help="Side of the square images in pixels.")] = SIZE,
    seed: Seed = 0,
) -> None:
    """Train the classifier, let it judge generated images, and print a table."""
    pipe = load_pipeline(model)
    pictures = read_photos(photos, size=size)
    samples = draw_samples(count, len(pictures), seed)
    images = {
        "simulated": [(s, simulate_sample(pictures[s.photo], s), pictures[s.photo]) for s in samples],
        "generated": list(generate(pipe, pictures, samples, batch_size)),
    }
    matrices = {}
    for judge, blind in (("blind", True), ("shown the change", False)):
        classifier = train(photos, training_steps, size, blind, seed)
        matrices |= {f"{kind}, {judge}": confusion(classifier, found, blind) for kind, found in images.items()}
    print(format_table(["named right", *NAMES, "all"], [[n, *shares(c).values()] for n, c in matrices.items()]))
    rows = [[name, *counts] for name, counts in zip(NAMES, matrices["generated, blind"], strict=True)]
    print(format_table(["generated, blind, named", *NAMES], rows))
    settings: dict[str, Any] = {"count": count, "training_steps": training_steps, "seed": seed}
    results = {
        "settings": settings,
        "named_right": {name: shares(counts) for name, counts in matrices.items()},
        "confusion": {name: counts.tolist() for name, counts in matrices.items()},
    }
    write_results(results, output, draw_figure(matrices))


if __name__ == "__main__":
    typer.run(main)
