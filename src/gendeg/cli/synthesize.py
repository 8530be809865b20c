"""`gendeg synthesize`: a data set of pairs from a folder of clean photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gendeg.cli import exit_status
from gendeg.cli.options import Seed
from gendeg.errors import count_of

if TYPE_CHECKING:
    from gendeg.synthesis.job import Report
    from gendeg.synthesis.synthesize import Progress

WHAT, HOW, WHERE = "What is made", "How it is made", "Where it is made, and where it goes"


def synthesize(
    photos: Annotated[
        str | None,
        typer.Argument(
            help="A folder of clean photos; a table (.parquet, .csv, .jsonl) with the column image, and optionally "
            "caption, source_set, degradation; or a data set (a folder of save_to_disk, or owner/name on the hub)."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data set.")] = Path("gends"),
    seed: Seed = 0,
    existing: Annotated[
        list[Path] | None,
        typer.Option(
            help="Pairs that exist already: an index that gendeg prepare wrote, or a folder `<degradation>/<set>/` "
            "with `input/` and `target/` in it; may be repeated. Its training pairs become part of the data set, and "
            "their clean images are degraded as the photos are.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, and an estimate of time and disk; make nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read a finished data set and compare every byte with its manifest.")
    ] = False,
    degradation: Annotated[
        list[str] | None,
        typer.Option("--degradation", "-d", help="Only these; may be repeated. [default: all]", rich_help_panel=WHAT),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(
            help="Descriptions for photos that come without one: a table (.parquet, .csv, .jsonl) with the columns "
            "image and caption; or a BLIP-2 that makes them, by its folder or its name on the hub, e.g. "
            "Salesforce/blip2-opt-2.7b. [default: none]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    variants: Annotated[int, typer.Option(help="Images for each photo and degradation.", rich_help_panel=WHAT)] = 1,
    mode: Annotated[
        Literal["paper", "official"],
        typer.Option(help="Severities drawn as in the paper, or as by the authors' program.", rich_help_panel=WHAT),
    ] = "paper",
    prior: Annotated[
        Path | None,
        typer.Option(help="A severity prior of your own, see gendeg prior. [default: published]", rich_help_panel=WHAT),
    ] = None,
    validation_share: Annotated[
        float, typer.Option(help="Share of the photos held out for validation.", rich_help_panel=WHAT)
    ] = 0.05,
    short_side: Annotated[
        int | None,
        typer.Option(help="Reduce larger photos to this short side, in pixels. [default: keep]", rich_help_panel=WHAT),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            help="Lowest and highest measured mu that pass the filter, e.g. haze=0.02:0.4; may be repeated. "
            "[default: from the prior]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    attempts: Annotated[
        int, typer.Option(help="Tries, each with new noise, before a row is given up.", rich_help_panel=WHAT)
    ] = 3,
    backend: Annotated[
        Literal["pipeline", "simulator"],
        typer.Option(help="The generator, or physical models.", rich_help_panel=HOW),
    ] = "pipeline",
    model: Annotated[
        str, typer.Option(help="Packaged checkpoint, pipeline folder, or name on the hub.", rich_help_panel=HOW)
    ] = "gendeg-tiny",
    alignment: Annotated[
        str, typer.Option(help="auto, transfer, paper, scm, target or none.", rich_help_panel=HOW)
    ] = "auto",
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Scale the degradation so that mu is met.", rich_help_panel=HOW)
    ] = False,
    resolution: Annotated[
        int | None, typer.Option(help="Short side in pixels that the generator works at.", rich_help_panel=HOW)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps. [default: the checkpoint's]", rich_help_panel=HOW)
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="By text and severity. [default: the checkpoint's]", rich_help_panel=HOW)
    ] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="By the photo. [default: the checkpoint's]", rich_help_panel=HOW)
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of the networks.", rich_help_panel=HOW)
    ] = "float32",
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="This machine, with all processes of accelerate launch; or Ray.", rich_help_panel=WHERE),
    ] = "local",
    workers: Annotated[
        int, typer.Option(help="Processes. On a CPU, one per core is fastest.", rich_help_panel=WHERE)
    ] = 1,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1. [default: the GPUs, if any]", rich_help_panel=WHERE)
    ] = None,
    rows_per_shard: Annotated[
        int, typer.Option(help="Rows in one file: what an interruption loses at most.", rich_help_panel=WHERE)
    ] = 100,
    image_format: Annotated[
        Literal["png", "webp", "jpeg"],
        typer.Option(help="webp is lossless too, smaller, and slower.", rich_help_panel=WHERE),
    ] = "png",
    license: Annotated[
        str, typer.Option(help="For the card, as the hub names it, e.g. cc-by-4.0.", rich_help_panel=WHERE)
    ] = "unknown",
    push_to_hub: Annotated[
        str | None, typer.Option(help="Upload to this repository at the end, e.g. me/my-gends.", rich_help_panel=WHERE)
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.", rich_help_panel=WHERE)
    ] = False,
) -> None:
    """Make a data set of degraded photos and their clean targets, by the recipe of the paper.

    Each photo gets every degradation that its source set does not have, at severities drawn from the data sets that
    restorers are trained on. Images that came out wrong are filtered.

    What will it be, and what will it cost?

        gendeg synthesize photos/ --output gends/ --dry-run

    Make it. After an interruption, of any kind, run the same command again: it goes on.

        gendeg synthesize photos/ --output gends/ --workers 8
        gendeg synthesize photos/ --output gends/ --backend simulator
        gendeg synthesize photos/ --output gends/ --captions Salesforce/blip2-opt-2.7b

    With the training pairs of published data sets, as the paper's GenDS, with or without further photos:

        gendeg prepare Rain13K data/Rain13K/ -o data/pairs.parquet
        gendeg synthesize photos/ --existing data/pairs.parquet --existing my-pairs/ --output gends/

    On several GPUs or machines, which all see the folders:

        accelerate launch --num_processes 4 -m gendeg synthesize photos/ --output gends/
        gendeg synthesize photos/ --output gends/ --engine ray

    Images that cannot be used are left out and listed in .left_out.txt in the output folder; that is no failure: the
    exit code is 0.

    However it is made, the same command gives the same files. Check them, and read them, with or without gendeg:

        gendeg synthesize --verify --output gends/
        python -c "import datasets; print(datasets.load_dataset('gends/'))"
    """
    from gendeg.degradations import Degradation
    from gendeg.synthesis.backends import BackendConfig
    from gendeg.synthesis.captioner import CaptionerConfig
    from gendeg.synthesis.config import ALL, PlanConfig
    from gendeg.synthesis.existing import open_sources
    from gendeg.synthesis.sources import TABLE_SUFFIXES

    if verify:
        _verify(output)
        return
    config = PlanConfig(
        seed=seed,
        mode=mode,
        prior=prior,
        degradations=tuple(map(Degradation, degradation or ALL)),
        variants=variants,
        validation_share=validation_share,
        rows_per_shard=rows_per_shard,
        image_format=image_format,
        short_side=short_side,
        attempts=attempts,
        thresholds=_parse_thresholds(threshold or []),
    )
    made_by = BackendConfig(
        name=backend,
        checkpoint=model,
        alignment=alignment,
        calibrate=calibrate,
        resolution=resolution,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        image_guidance_scale=image_guidance_scale,
        precision=precision,
        device=device,
    )
    source, captioner = open_sources(photos, existing or [], leave_out=output), None
    if captions and Path(captions).suffix.lower() in TABLE_SUFFIXES:
        source = _read_captions(source, Path(captions))
    elif captions:
        captioner = CaptionerConfig(captions, precision, device)
    if dry_run:
        _preview(source, output, config, made_by, captioner)
    elif _make(source, output, config, made_by, captioner, engine, workers, license) and push_to_hub:
        _push(output, push_to_hub, private)


def _read_captions(source: Any, table: Path) -> Any:
    """The photos with their captions from a table."""
    from gendeg.synthesis.captions import CaptionedSource

    captioned = CaptionedSource(source, table)
    if captioned.strangers:
        typer.echo(
            f"{table} describes {count_of(captioned.described, 'image')}. Not among the photos: "
            f"{len(captioned.strangers)}, e.g. {captioned.strangers[0]}.",
            err=True,
        )
    return captioned


def _make(
    source: Any, output: Path, config: Any, made_by: Any, captioner: Any, engine: str, workers: int, license: str
) -> bool:
    """Make the data set; returns whether this process leads, so that it shall upload it."""
    from contextlib import ExitStack

    from gendeg.progress import progress_bar
    from gendeg.synthesis.card import write_card
    from gendeg.synthesis.synthesize import LEFT_OUT
    from gendeg.synthesis.synthesize import synthesize as make_dataset

    problems: dict[str, str] = {}
    with ExitStack() as stack:

        def begin(progress: "Progress") -> "Report":
            problems.update(progress.index.problems)
            if progress.leads:
                _show_start(progress, output)
            bar = stack.enter_context(progress_bar(progress.share, "row", shown=progress.leads))

            def advance(decided: int, accepted: int) -> None:
                bar.update(decided)

            return advance

        try:
            manifest = make_dataset(
                source, output, config, made_by, captioner=captioner, engine=engine, workers=workers, begin=begin
            )
        except KeyboardInterrupt:
            stack.close()
            typer.echo("Stopped. Finished shards are kept; run the same command again to go on.", err=True)
            raise typer.Exit(exit_status.STOPPED) from None
    if manifest is None:
        return False
    write_card(output, license=license)
    if problems:
        typer.echo(f"Left out as unusable: {count_of(len(problems), 'image')}, listed in {output / LEFT_OUT}.")
    counts = ", ".join(f"{split} {rows} of {manifest.planned[split]}" for split, rows in manifest.rows.items())
    typer.echo(f"{output}: {counts} planned rows passed the filter. Hash {manifest.hash[:16]}.")
    if config.validation_share and not manifest.rows.get("validation"):
        typer.echo(f"None of the scenes fell to the validation split (--validation-share {config.validation_share:g}).")
    typer.echo(f"Read it: datasets.load_dataset({str(output) + '/'!r}). What it holds: {output / 'README.md'}")
    return True


def _show_start(progress: "Progress", output: Path) -> None:
    from gendeg.synthesis.report import describe_scenes

    typer.echo(describe_scenes(progress.index))
    _show_problems(progress.index.problems)
    if not progress.missing:
        typer.echo(f"All {progress.total} rows are there already.")
    elif progress.missing < progress.total:
        typer.echo(f"Going on: {progress.total - progress.missing} of {progress.total} rows are there.")


def _show_problems(problems: dict[str, str]) -> None:
    from gendeg.errors import list_some

    for line in list_some([f"Left out {location}: {problems[location]}" for location in sorted(problems)]):
        typer.echo(line, err=True)


def _preview(source: Any, output: Path, config: Any, made_by: Any, captioner: Any) -> None:
    from gendeg.synthesis.backends import load_backend
    from gendeg.synthesis.captions import known_captions
    from gendeg.synthesis.job import Job
    from gendeg.synthesis.plan import make_plan
    from gendeg.synthesis.report import describe_costs, describe_plan, describe_scenes
    from gendeg.synthesis.scenes import index_scenes
    from gendeg.synthesis.synthesize import NOTES

    index = index_scenes(source, output / NOTES if output.is_dir() else None)
    typer.echo(describe_scenes(index))
    _show_problems(index.problems)
    if captioner is not None:
        batches = known_captions(index.scenes, captioner, output)[1]
        typer.echo(f"{captioner.name} describes {sum(map(len, batches))} of them first, which is not estimated here")
    plan = make_plan(index.scenes, config, index.existing.pairs)
    typer.echo(describe_plan(plan))
    typer.echo(f"\n{describe_costs(Job(plan, source, made_by, output), load_backend(made_by))}")


def _verify(output: Path) -> None:
    from gendeg.synthesis.manifest import verify_dataset

    manifest = verify_dataset(output)
    rows, planned = sum(manifest.rows.values()), sum(manifest.planned.values())
    typer.echo(f"{output} is intact: {rows} rows of {planned} planned in {len(manifest.shards)} shards.")
    typer.echo(f"Hash {manifest.hash}")


def _push(output: Path, repository: str, private: bool) -> None:
    from gendeg.synthesis.card import push_to_hub

    typer.echo(f"Uploaded: {push_to_hub(output, repository, private=private)}")


def _parse_thresholds(texts: list[str]) -> dict[Any, Any]:
    """`["haze=0.02:0.4"]` -> `{Degradation.HAZE: Thresholds(0.02, 0.4)}`."""
    from gendeg.degradations import Degradation
    from gendeg.errors import InputError
    from gendeg.synthesis.filter import Thresholds

    thresholds = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            low, high = map(float, numbers.split(":"))
        except ValueError:
            raise InputError(f"--threshold {text}: write it like haze=0.02:0.4, lowest and highest mu.") from None
        thresholds[Degradation(name)] = Thresholds(low, high)
    return thresholds
