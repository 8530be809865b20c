"""`gendeg simulate`: photos through physical models."""

import inspect
import math
from typing import Annotated, Any

import typer

from gendeg.cli.options import Degradations, Mu, Output, Overwrite, Photos, PriorFile, Seed, open_prior

ADVICE = (
    "This is the closest that the physical models come on these photos. Ask for about what was achieved, or try "
    "another --seed or --model (see --list-models)."
)


def _list_models(wanted: bool) -> None:
    if not wanted:
        return
    from gendeg.simulators import SIMULATORS

    for degradation, models in SIMULATORS.items():
        for name, model in models.items():
            typer.echo(f"{degradation.value:12} {name:14} {(inspect.getdoc(model) or '').splitlines()[0]}")
    raise typer.Exit


def simulate(
    photos: Photos,
    degradation: Degradations,
    output: Output,
    mu: Mu = None,
    sigma: Annotated[
        float | None, typer.Option(help="Its standard deviation, 0 to 0.4. Left out with mu given, the model decides.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Physical model, see --list-models. [default: one is drawn]")
    ] = None,
    seed: Seed = 0,
    prior: PriorFile = None,
    save_target: Annotated[
        bool, typer.Option("--save-target", help="Also write the clean image beside the degraded one.")
    ] = False,
    overwrite: Overwrite = False,
    list_models: Annotated[
        bool,
        typer.Option("--list-models", callback=_list_models, is_eager=True, help="List the physical models and exit."),
    ] = False,
) -> None:
    """Degrade photos with physical models: no network, no weights.

    One photo into one file:

        gendeg simulate photo.jpg --degradation rain --mu 0.08 -o out.png

    A folder of photos, two degradations, one model's look:

        gendeg simulate photos/ -d haze -d rain+haze -o out/
        gendeg simulate photos/ -d haze --model depth --mu 0.15 -o out/
        gendeg simulate photos/*.jpg more-photos/ -d snow -o snowy/

    Folders work as in `gendeg degrade`; `metadata.jsonl` also tells every parameter that was drawn.

    Not every photo can have every severity: a flat one cannot be blurred strongly. The closest image is written then,
    and a warning names what was asked for and what was achieved; the exit status stays 0. In `metadata.jsonl` such
    images have `"reached": false`.
    """
    from gendeg.cli.metadata import severity_settings
    from gendeg.cli.reach import Reach
    from gendeg.cli.run import Engine, Order, run
    from gendeg.output import MU_TOLERANCE, SIGMA_TOLERANCE
    from gendeg.severity import check_severity

    check_severity(mu, sigma)
    reach = Reach(MU_TOLERANCE, math.inf if sigma is None else SIGMA_TOLERANCE, ADVICE)

    def settings(name: str) -> dict[str, Any]:
        return {"model": model, "prior": str(prior) if prior else "published", **severity_settings(mu, sigma)}

    def load() -> Engine:
        from gendeg import GenDegOutput
        from gendeg import simulate as simulate_image

        severity_prior = open_prior(prior)

        def degrade(image: Any, name: str, own_seed: int) -> GenDegOutput:
            return simulate_image(image, name, mu, sigma, model=model, prior=severity_prior, seed=own_seed)

        return Engine(prepare=lambda image: image, degrade=degrade)

    run(Order(photos, degradation, output, seed, save_target, overwrite, settings, reach, load))
