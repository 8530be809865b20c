"""Are gendeg's NAFNet and PromptIR faster than their authors' formulation, with the same weights and outputs?

python examples/benchmarks/restorer_speed.py --output runs/benchmarks/restorer_speed.json

Both networks take turns, so that they see the same machine. The ratio is the median over the turns: above 1, gendeg is
faster. On a GPU, float32 and bfloat16 are measured; on the CPU, float32 on two threads.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from common import THREADS, Seed, format_table, write_results
from reference_restorers import ReferenceNAFNet, ReferencePromptIR
from torch import Tensor, nn
from tqdm import tqdm

from gendeg import NAFNet
from gendeg.models.sizes import create_restorer

RESTORERS = ["nafnet-width32", "promptir"]
IMAGE_SIZES = ["256x256", "1024x768"]
TOLERANCE = 1e-4  # relative difference of the outputs in float32


def build_pair(name: str, seed: int) -> tuple[nn.Module, nn.Module]:
    """A restorer of random weights, and the authors' formulation of it with the same ones."""
    torch.manual_seed(seed)
    net = create_restorer(name).eval()
    for parameter_name, parameter in net.named_parameters():
        if parameter_name.endswith(("beta", "gamma")):  # zero at first, which would hide the blocks of NAFNet
            nn.init.normal_(parameter, std=0.2)
    reference = ReferenceNAFNet(net) if isinstance(net, NAFNet) else ReferencePromptIR(net)
    return net, reference.eval()


def timed(call: Callable[[], Tensor]) -> float:
    """Seconds that a call takes, on the CPU or a GPU."""
    begin = time.perf_counter()
    if call().is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begin


@torch.no_grad()
def compare(ours: nn.Module, authors: nn.Module, image: Tensor, turns: int) -> dict[str, float]:
    """Seconds of both (medians), their ratio, and the relative difference of their outputs."""
    restored, expected = ours(image), authors(image)  # compiles, and warms up
    difference = (restored - expected).abs().max() / expected.abs().max()
    seconds = np.array([[timed(lambda: ours(image)), timed(lambda: authors(image))] for _ in range(turns)])
    return {
        "gendeg_seconds": float(np.median(seconds[:, 0])),
        "authors_seconds": float(np.median(seconds[:, 1])),
        "ratio": float(np.median(seconds[:, 1] / seconds[:, 0])),
        "difference": float(difference),
    }


def main(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    restorer: Annotated[list[str], typer.Option(help="Name of a NAFNet or PromptIR; may be repeated.")] = RESTORERS,
    size: Annotated[list[str], typer.Option(help="Width x height in pixels; may be repeated.")] = IMAGE_SIZES,
    turns: Annotated[int, typer.Option(help="Timed runs of each network.")] = 5,
    compiled: Annotated[bool, typer.Option(help="Measure with torch.compile too.")] = True,
    seed: Seed = 0,
) -> None:
    """Compare the speed, and print a table; an error if the outputs differ."""
    torch.set_num_threads(THREADS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precisions = [torch.float32, torch.bfloat16] if device == "cuda" else [torch.float32]
    settings = list(itertools.product(restorer, size, precisions, [False, True] if compiled else [False]))
    rows: list[dict[str, Any]] = []
    for name, pixels, precision, use_compiler in tqdm(settings, desc="comparing", unit="setting"):
        # the method of nn.Module, since that of diffusers warns of float32 modules even where there are none
        pair = [nn.Module.to(net, device, precision) for net in build_pair(name, seed)]
        if use_compiler:
            pair = [torch.compile(net, dynamic=False) for net in pair]
        width, height = (int(side) for side in pixels.split("x"))
        image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)).to(device, precision)
        setting = {"restorer": name, "size": pixels, "precision": str(precision), "compiled": use_compiler}
        rows.append(setting | compare(*pair, image, turns))
    print(format_table(list(rows[0]), [[f"{v:.1e}" if k == "difference" else v for k, v in r.items()] for r in rows]))
    write_results({"device": device, "threads": THREADS, "turns": turns, "seed": seed, "comparisons": rows}, output)
    exact = [row for row in rows if row["precision"] == "torch.float32"]
    if not all(row["difference"] <= TOLERANCE for row in exact):  # nor is NaN
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
