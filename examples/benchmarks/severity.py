"""How well the generator meets the requested severity, on photos it has not seen.

python examples/benchmarks/severity.py --photos path/to/photos --output runs/benchmarks/severity.json

Requests come from the published prior, of a mixture from that of its first part. Those that a photo cannot meet (a dark
photo has little light to lose) are kept.
Severity is measured on 8-bit images at 256 x 256, first as generated and then with calibration.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from common import Model, Photos, Seed, draw_samples, format_table, generate, load_pipeline, read_photos, write_results
from matplotlib.figure import Figure
from torch import Tensor

from gendeg import Degradation, measure_severity
from gendeg.imaging import to_pil
from gendeg.pipelines.calibration import calibrate
from gendeg.severity import MU_BIN_WIDTH, MU_RANGE, SIGMA_RANGE

Rows = dict[str, np.ndarray]
COLUMNS = ("requested_mu", "requested_sigma", "mu", "sigma", "calibrated_mu")


def measure(target: Tensor, degraded: Tensor) -> tuple[float, float]:
    """Severity (mu, sigma) of the images as they would be saved."""
    severity = measure_severity(to_pil(target), to_pil(degraded))
    return float(severity.mu), float(severity.sigma)


def summarize(rows: Rows) -> dict[str, float]:
    """Correlation, mean absolute error and bias of mu and sigma, and how often calibration lands within a mu bin."""
    summary: dict[str, float] = {"samples": len(rows["mu"])}
    for name in ("mu", "sigma"):
        requested, error = rows[f"requested_{name}"], rows[name] - rows[f"requested_{name}"]
        summary[f"{name}_r"] = float(np.corrcoef(requested, rows[name])[0, 1])
        summary[f"{name}_mae"] = float(np.abs(error).mean())
        summary[f"{name}_bias"] = float(error.mean())
    calibrated_error = np.abs(rows["calibrated_mu"] - rows["requested_mu"])
    summary["calibrated_share"] = float((calibrated_error <= MU_BIN_WIDTH).mean())
    return summary


def draw_figure(by_degradation: dict[str, Rows]) -> Figure:
    """Requested against achieved mu (above) and sigma (below), one column per degradation."""
    figure = Figure(figsize=(15, 5.4), layout="constrained")
    axes = figure.subplots(2, len(by_degradation), sharex="row", sharey="row", squeeze=False)
    for row, (name, top) in enumerate((("mu", MU_RANGE[1]), ("sigma", SIGMA_RANGE[1]))):
        limit = min(
            top, 1.05 * max(max(rows[name].max(), rows[f"requested_{name}"].max()) for rows in by_degradation.values())
        )
        for column, (degradation, rows) in enumerate(by_degradation.items()):
            axis = axes[row, column]
            axis.plot([0, limit], [0, limit], color="0.7", linewidth=1)
            axis.scatter(rows[f"requested_{name}"], rows[name], s=14, alpha=0.7, color=f"C{column}", linewidths=0)
            axis.set(xlim=(0, limit), ylim=(0, limit), aspect="equal", xlabel=f"requested {name}")
            correlation = np.corrcoef(rows[f"requested_{name}"], rows[name])[0, 1]
            axis.text(0.04, 0.92, f"r = {correlation:.3f}", transform=axis.transAxes, fontsize=9)
            if row == 0:
                axis.set_title(degradation.replace("_", " "))
        axes[row, 0].set_ylabel(f"achieved {name}")
    return figure


def main(
    photos: Photos,
    output: Annotated[Path, typer.Option(help="JSON file to write; the figure is written beside it.")],
    model: Model = None,
    degradation: Annotated[
        list[str] | None,
        typer.Option(help="What to measure, e.g. haze or rain+haze; may be repeated. [default: all six]"),
    ] = None,
    count: Annotated[int, typer.Option(help="Number of samples, shared by the degradations.")] = 240,
    batch_size: Annotated[int, typer.Option(help="Images generated together.")] = 8,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; by default the checkpoint's.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="By default the checkpoint's.")] = None,
    image_guidance_scale: Annotated[float | None, typer.Option(help="By default the checkpoint's.")] = None,
    alignment: Annotated[str, typer.Option(help="auto, transfer, paper, scm, target or none.")] = "auto",
    seed: Seed = 0,
) -> None:
    """Measure severity and print a table."""
    pipe = load_pipeline(model)
    pictures = read_photos(photos)
    settings: dict[str, Any] = {
        "num_inference_steps": steps or pipe.config.num_inference_steps,
        "guidance_scale": pipe.config.guidance_scale if guidance_scale is None else guidance_scale,
        "image_guidance_scale": pipe.config.image_guidance_scale
        if image_guidance_scale is None
        else image_guidance_scale,
        "alignment": alignment,
    }
    degradations = degradation or list(Degradation)
    measured: dict[str, list[tuple[float, ...]]] = {str(name): [] for name in degradations}
    samples = draw_samples(count, len(pictures), seed, degradations)
    for sample, image, target in generate(pipe, pictures, samples, batch_size, **settings):
        calibrated, _ = calibrate(target, image, sample.mu)  # what calibrate=True does, without generating twice
        row = (sample.mu, sample.sigma, *measure(target, image), measure(target, calibrated)[0])
        measured[sample.degradation].append(row)

    by_degradation = {name: dict(zip(COLUMNS, np.array(rows).T, strict=True)) for name, rows in measured.items()}
    overall = {column: np.concatenate([rows[column] for rows in by_degradation.values()]) for column in COLUMNS}
    summaries = {name: summarize(rows) for name, rows in (by_degradation | {"overall": overall}).items()}
    print(format_table(["", *summaries["overall"]], [[name, *s.values()] for name, s in summaries.items()]))
    rows_by_name = {name: {column: v.tolist() for column, v in rows.items()} for name, rows in by_degradation.items()}
    results = {"settings": settings | {"seed": seed}, "summary": summaries, "samples": rows_by_name}
    write_results(results, output, draw_figure(by_degradation))


if __name__ == "__main__":
    typer.run(main)
