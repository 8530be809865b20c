"""The checkpoint's default sampling against the authors' way, with the same weights, side by side.

python examples/benchmarks/speed.py --photos path/to/photos --output runs/benchmarks/speed.json

The authors sample with 100 Euler-ancestral steps and three branches (text guidance 7.5, image guidance 1.5). Their
scheduler is built from the checkpoint's own noise schedule; where that ends without any signal, diffusers replaces the
infinite noise level of the first step by 4096. Alignment is the same for both. The two ways take turns, batch by batch,
on the same requests; severity is measured on what they return.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from common import (
    SIZE,
    Model,
    Photos,
    Seed,
    draw_samples,
    format_table,
    generate_batch,
    load_pipeline,
    read_photos,
    write_results,
)
from diffusers import EulerAncestralDiscreteScheduler
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from gendeg import GenDegPipeline
from gendeg.pipelines.alignment import transfer_detail
from gendeg.pipelines.latents import decode_mode

AUTHORS: dict[str, Any] = {"num_inference_steps": 100, "guidance_scale": 7.5, "image_guidance_scale": 1.5}
REPEATS = 9


def with_authors_sampling(pipe: GenDegPipeline) -> GenDegPipeline:
    """The same components with the authors' scheduler and defaults."""
    scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    kept = {name: pipe.config[name] for name in ("alignment", "change_scale")}
    authors = GenDegPipeline(**(pipe.components | {"scheduler": scheduler}), **kept, **AUTHORS)
    authors.set_progress_bar_config(disable=True)
    return authors


def compare(pipes: dict[str, GenDegPipeline], photos: Tensor, count: int, batch_size: int, seed: int) -> dict[str, Any]:
    """Images per second (median over batches) and severity of each pipeline on the same requests."""
    samples = draw_samples(count, len(photos), seed)
    seconds: dict[str, list[float]] = {name: [] for name in pipes}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in pipes}
    for start in tqdm(range(0, count, batch_size), desc="comparing", unit="batch"):
        batch = samples[start : start + batch_size]
        for name, pipe in pipes.items():
            begin = time.perf_counter()
            achieved = generate_batch(pipe, photos, batch).achieved
            seconds[name].append((time.perf_counter() - begin) / len(batch))
            requested = [(sample.mu, sample.sigma) for sample in batch]
            rows[name].append(np.column_stack([requested, achieved.mu, achieved.sigma]))
    return {name: summarize(seconds[name], np.concatenate(rows[name])) for name in pipes}


def summarize(seconds: list[float], rows: np.ndarray) -> dict[str, float]:
    """From seconds per image and rows of requested mu, sigma, achieved mu, sigma."""
    return {
        "images_per_second": 1 / float(np.median(seconds)),
        "mu_r": float(np.corrcoef(rows[:, 0], rows[:, 2])[0, 1]),
        "mu_mae": float(np.abs(rows[:, 2] - rows[:, 0]).mean()),
        "sigma_r": float(np.corrcoef(rows[:, 1], rows[:, 3])[0, 1]),
        "sigma_mae": float(np.abs(rows[:, 3] - rows[:, 1]).mean()),
    }


def median_seconds(call: Callable[[], Any]) -> float:
    """Median time of a call, after one to warm up."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


@torch.no_grad()
def time_parts(pipe: GenDegPipeline, photo: Tensor) -> dict[str, float]:
    """Seconds that one image spends outside the UNet, and in all."""
    prepared = pipe.prepare_images(photo)[0]
    return {
        "encode and decode the clean photo": median_seconds(lambda: pipe.prepare_images(photo)),
        "decode": median_seconds(lambda: decode_mode(pipe.vae, prepared.latents[None])),
        "transfer": median_seconds(
            lambda: transfer_detail(prepared.clean, prepared.reconstruction, prepared.reconstruction)
        ),
        "whole call": median_seconds(lambda: pipe(photo, "haze", mu=0.2, sigma=0.08)),
    }


def draw_figure(summaries: dict[str, dict[str, float]], parts: dict[str, float]) -> Figure:
    """Images per second of both ways, and where the time of one default call goes."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.barh(list(summaries), [s["images_per_second"] for s in summaries.values()], color=["C0", "0.6"])
    left.set(xscale="log", xlabel="images per second")
    right.barh(list(parts), [1000 * seconds for seconds in parts.values()], color="C0")
    right.set(xlabel="milliseconds per image")
    return figure


def main(
    photos: Photos,
    output: Annotated[Path, typer.Option(help="JSON file to write; the figure is written beside it.")],
    model: Model = None,
    count: Annotated[int, typer.Option(help="Number of samples; the authors' way takes long.")] = 60,
    batch_size: Annotated[int, typer.Option(help="Images generated together.")] = 4,
    size: Annotated[int, typer.Option(help="Side of the square images in pixels.")] = SIZE,
    seed: Seed = 0,
) -> None:
    """Compare speed and severity, and print a table."""
    pipe = load_pipeline(model)
    pictures = read_photos(photos, size=size)
    parts = time_parts(pipe, pictures[0])
    ours = f"default ({pipe.config.num_inference_steps} steps)"
    pipes = {ours: pipe, "the authors' (100 steps)": with_authors_sampling(pipe)}
    summaries = compare(pipes, pictures, count, batch_size, seed)
    fast, slow = (summary["images_per_second"] for summary in summaries.values())

    print(
        format_table(["sampling", *summaries[ours]], [[name, *summary.values()] for name, summary in summaries.items()])
    )
    print(f"{fast / slow:.1f} times as many images per second")
    print(format_table(["one image, alone", "ms"], [[name, 1000 * seconds] for name, seconds in parts.items()]))
    settings = {"count": count, "batch_size": batch_size, "size": size, "seed": seed}
    results = {"settings": settings, "ratio": fast / slow, "sampling": summaries, "seconds": parts}
    write_results(results, output, draw_figure(summaries, parts))


if __name__ == "__main__":
    typer.run(main)
