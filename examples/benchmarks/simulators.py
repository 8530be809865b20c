"""Do the physical simulators meet the severity that is asked of them, and how quickly?

    python examples/benchmarks/simulators.py [FOLDER OF PHOTOS]

Requests are drawn from the published prior. For each model the table shows

* feasible mu: share of requests whose mu the model can reach on that photo: the same sample is asked for far more;
* mu met: share of the feasible ones with |mu error| <= 0.0055 (one bin);
* free sigma: share of requests whose sigma lies between the least and the largest that the model has at that mu on
  that photo: the same sample is asked for sigma 0 and 0.4;
* sigma met: share of those with |sigma error| <= 0.00625 (two bins);
* images per second at 256 x 256, median over batches (two threads unless told otherwise).
"""

import statistics
import time
from pathlib import Path
from typing import Annotated

import skimage.data
import torch
import typer
from torch import Tensor

from gendeg import Degradation, SeverityPrior
from gendeg.imaging import find_images, read_image, resize, to_tensor
from gendeg.simulators import SIMULATORS, SimulatedBatch, model_names, simulate_batch

SIZE = 256
BATCH = 16
MU_BOUND, SIGMA_BOUND = 0.0055, 0.00625
SAMPLE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
HEADER = f"{'model':24}{'feasible mu':>12}{'mu met':>9}{'free sigma':>12}{'sigma met':>11}{'images/s':>10}"


def main(
    folder: Annotated[Path | None, typer.Argument(help="Photos; by default scikit-image's samples.")] = None,
    requests: Annotated[int, typer.Option(help="Requests per model.")] = 128,
    seed: int = 0,
    threads: int = 2,
) -> None:
    """Print the table, and the medians of the issue's targets."""
    torch.set_num_threads(threads)
    photos = load_photos(folder, requests)
    typer.echo(f"{requests} requests per model on {len(photos)} photos\n{HEADER}")
    rows = [
        measure(photos, degradation, model, requests, seed)
        for degradation in SIMULATORS
        for model in model_names(degradation)
    ]
    mu_met, sigma_met = (torch.cat([row[key] for row in rows]).float().mean().item() for key in ("mu_met", "sigma_met"))
    speeds = [speed for row in rows for speed in row["speeds"].tolist()]
    typer.echo(
        f"\nOverall: mu met for {mu_met:.1%} of the feasible requests, sigma met for {sigma_met:.1%} of those "
        f"within the model's freedom, median {statistics.median(speeds):.0f} images per second"
    )


def measure(photos: Tensor, degradation: Degradation, model: str, requests: int, seed: int) -> dict[str, Tensor]:
    """Run all requests for one model, print its row, return what is pooled over models."""
    severities = torch.from_numpy(SeverityPrior.published().sample(degradation, requests, seed)).float()
    columns: dict[str, list[Tensor]] = {key: [] for key in ("feasible", "mu_error", "free", "sigma_error", "speeds")}
    for start in range(0, requests, BATCH):
        mu, sigma = severities[start : start + BATCH].T
        clean = photos[torch.arange(start, start + len(mu)) % len(photos)]
        seeds = range(seed + start, seed + start + len(mu))

        def run(mu: Tensor, sigma: Tensor, clean: Tensor = clean, seeds: range = seeds) -> SimulatedBatch:
            generators = [torch.Generator().manual_seed(one) for one in seeds]
            return simulate_batch(clean, degradation, mu, sigma, model=model, generator=generators)

        began = time.perf_counter()
        reached = run(mu, sigma)
        columns["speeds"].append(torch.tensor([len(mu) / (time.perf_counter() - began)]))
        most = run(torch.full_like(mu, 0.7), torch.full_like(mu, 0.4))
        least, largest = run(mu, torch.zeros_like(mu)), run(mu, torch.full_like(mu, 0.4))
        feasible = mu <= most.mu
        columns["feasible"].append(feasible)
        columns["mu_error"].append((reached.mu - mu).abs())
        columns["free"].append(feasible & (least.sigma <= sigma) & (sigma <= largest.sigma))
        columns["sigma_error"].append((reached.sigma - sigma).abs())
    pooled = {key: torch.cat(values) for key, values in columns.items()}
    mu_met = (pooled["mu_error"] <= MU_BOUND)[pooled["feasible"]]
    sigma_met = (pooled["sigma_error"] <= SIGMA_BOUND)[pooled["free"]]
    typer.echo(
        f"{degradation + ' ' + model:24}{share(pooled['feasible']):>12}{share(mu_met):>9}{share(pooled['free']):>12}"
        f"{share(sigma_met):>11}{pooled['speeds'].median():>10.0f}"
    )
    return {"mu_met": mu_met, "sigma_met": sigma_met, "speeds": pooled["speeds"]}


def share(hits: Tensor) -> str:
    """Per cent of True, or a dash where there is nothing to count."""
    return f"{hits.float().mean():.1%}" if len(hits) else "-"


def load_photos(folder: Path | None, most: int) -> Tensor:
    """The middle squares of at most `most` photos, evenly chosen: (N, 3, SIZE, SIZE)."""
    if folder is None:
        return torch.stack([middle_square(to_tensor(getattr(skimage.data, name)())) for name in SAMPLE_PHOTOS])
    paths = find_images(folder)
    return torch.stack(
        [middle_square(to_tensor(read_image(path))) for path in paths[:: max(1, len(paths) // most)][:most]]
    )


def middle_square(photo: Tensor) -> Tensor:
    """The middle of a photo (3, H, W) whose short side is brought to SIZE."""
    height, width = photo.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(photo[:, top : top + side, left : left + side], (SIZE, SIZE))


if __name__ == "__main__":
    typer.run(main)
