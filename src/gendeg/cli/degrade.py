"""`gendeg degrade`: photos through the generator."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gendeg.cli.options import Degradations, Device, Mu, Output, Overwrite, Photos, PriorFile, Seed

if TYPE_CHECKING:
    from gendeg.cli.reach import Reach

MODEL = "gendeg-tiny"

NEAR = 0.03  # two to three times the mean error of `gendeg-tiny`
NEAR_SHARE = 0.5  # of the requested mu: NEAR alone would pass haze of 0.031 where 0.009 was asked for
ADVICE = (
    "Try --calibrate, which scales the degradation until mu is met, another --seed, or ask for about what was achieved."
)
CALIBRATED_ADVICE = (
    "Calibration came as close to mu as its bounds allow: it scales by 1/3 to 3. Try another --seed, or ask for about "
    "what was achieved."
)


def _check_alignment(alignment: str) -> str:
    """Not a `Literal`, which would be too long for the help of narrow terminals."""
    if alignment == "auto":
        return alignment
    from gendeg.pipelines.alignment import ALIGNMENTS

    if alignment not in ALIGNMENTS:
        raise typer.BadParameter(f"{alignment!r} is not one of 'auto', {', '.join(map(repr, ALIGNMENTS))}.")
    return alignment


def degrade(
    photos: Photos,
    degradation: Degradations,
    output: Output,
    mu: Mu = None,
    sigma: Annotated[
        float | None, typer.Option(help="Its standard deviation, 0 to 0.4. Left out, it is drawn given mu.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What the photo shows, e.g. 'a street'; the degradation's words are appended.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Name of a packaged checkpoint, a pipeline folder, or a name on the Hugging Face hub.")
    ] = MODEL,
    alignment: Annotated[
        str,
        typer.Option(
            callback=_check_alignment,
            help="How image and target come to agree: auto, transfer, paper, scm, target or none.",
        ),
    ] = "auto",
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Scale the degradation so that mu is met, within bounds.")
    ] = False,
    resolution: Annotated[
        int | None, typer.Option(help="Short side in pixels to work at; the result keeps the photo's size.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. [default: the model's]")] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="Guidance by text and severity. [default: the model's]")
    ] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="Guidance by the photo. [default: the model's]")
    ] = None,
    seed: Seed = 0,
    prior: PriorFile = None,
    device: Device = None,
    save_target: Annotated[
        bool,
        typer.Option("--save-target", help="Also write the aligned clean image, the training target of a restorer."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Degrade photos with the generator.

    One photo into one file:

        gendeg degrade photo.jpg --degradation haze --mu 0.2 --sigma 0.08 -o out.png

    All six degradations of a folder of photos, severities drawn from the prior, with targets to train a restorer on:

        gendeg degrade photos/ -d all --save-target -o pairs/

    Several photos or folders work like the folder that they all lie in, whose structure the output has:

        gendeg degrade photos/*.jpg -d snow -o snowy/

    Folders: the images go to `<output>/<degradation>/`, in the folders of the photos; with `--save-target` to
    `<output>/<degradation>/input/` and `target/`. `metadata.jsonl` describes each image, and
    `datasets.load_dataset("imagefolder", data_dir="<output>")` reads it. Run the same command again to go on after an
    interruption. Photos that cannot be read are listed at the end, and the exit status is 1.

    The generator comes near the severity, and `--calibrate` meets mu where scaling the degradation can. A warning names
    what was asked for and what was achieved where mu is off by more than 0.03 or half of what was asked for, with
    `--calibrate` by more than 0.0055, or a given sigma by more than 0.03; the exit status stays 0. In
    `metadata.jsonl` such images have `"reached": false`.
    """
    from gendeg.cli.metadata import severity_settings
    from gendeg.cli.run import Order, run
    from gendeg.degradations import build_prompt, parse_mixture
    from gendeg.severity import check_severity

    check_severity(mu, sigma)

    def settings(name: str) -> dict[str, Any]:
        return {
            "prompt": build_prompt(prompt, parse_mixture(name)),
            "model": model,
            "alignment": alignment,
            "calibrate": calibrate,
            "resolution": resolution,
            "steps": steps,
            "guidance_scale": guidance_scale,
            "image_guidance_scale": image_guidance_scale,
            "prior": str(prior) if prior else "published",
            **severity_settings(mu, sigma),
        }

    def load() -> Any:
        from gendeg.cli.generator import load_engine

        call = {
            "mu": mu,
            "sigma": sigma,
            "prompt": prompt,
            "alignment": alignment,
            "calibrate": calibrate,
            "num_inference_steps": steps,
            "guidance_scale": guidance_scale,
            "image_guidance_scale": image_guidance_scale,
        }
        return load_engine(model, device, prior, resolution, call)

    run(Order(photos, degradation, output, seed, save_target, overwrite, settings, _reach(sigma, calibrate), load))


def _reach(sigma: float | None, calibrate: bool) -> "Reach":
    from gendeg.cli.reach import Reach
    from gendeg.output import MU_TOLERANCE

    sigma_tolerance = math.inf if sigma is None else NEAR
    if calibrate:
        return Reach(MU_TOLERANCE, sigma_tolerance, CALIBRATED_ADVICE)
    return Reach(NEAR, sigma_tolerance, ADVICE, NEAR_SHARE)
