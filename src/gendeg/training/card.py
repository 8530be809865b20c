"""The model card of a training's result, and its upload."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData

from gendeg.errors import TrainingError, count_of, first_line
from gendeg.training.checkpointing import BEST
from gendeg.training.entries import entry_label
from gendeg.training.recipe import Recipe

TRACKER_FOLDER = "gendeg"  # trackers name the run's logs so
_RUN_FILES = (  # beside the result, not part of it
    "checkpoint-*", ".*", "config.yaml", f"{TRACKER_FOLDER}/*", f"{BEST}/*",
)  # fmt: skip
_DATA = ("photos", "data")
_PATHS = ("pipeline", "base_model", "restorer", "perceptual_weights")
_LEFT_OUT = (*_DATA, "output_dir", "resume", "push_to_hub", "hub_model_id")


def write_model_card(folder: Path, recipe: Recipe[Any], numbers: dict[str, float], held_out: int) -> None:
    """Write `README.md` beside a result: data, settings, and the numbers of the last validation.

    Args:
        folder: where the result lies.
        recipe: what was trained; of the paths in its settings only the last part is named.
        numbers: what the last validation measured on held-out images. Those called `measure/group` make up a table
            with a row for each group.
        held_out: number of those pairs.
    """
    config = recipe.config
    metadata = ModelCardData(library_name="gendeg", tags=["gendeg", *recipe.tags])
    sources = [entry_label(name) for name in (*config.photos, *config.data)]
    settings = {name: _shown(name, value) for name, value in asdict(config).items() if name not in _LEFT_OUT}
    content = "\n\n".join(
        [
            f"---\n{metadata.to_yaml()}\n---",
            f"# {recipe.title}",
            "Trained with [gendeg](https://arxiv.org/abs/2411.17687). One image in 20, chosen by its name, was held "
            "out; of a data set with a split `validation`, that.",
            f"Data: {', '.join(sources)}.",
            f"## Validation on {count_of(held_out, 'held-out pair')}",
            *_number_tables(numbers),
            "## Settings",
            _table(["setting", "value"], list(map(list, settings.items()))),
        ]
    )
    ModelCard(content + "\n").save(folder / "README.md")


def _shown(name: str, value: Any) -> str:
    return entry_label(value) if name in _PATHS and value else str(value)


def _number_tables(numbers: dict[str, float]) -> list[str]:
    """A line for each plain number, then a table of those called `measure/group`."""
    plain = [[name, f"{value:.4g}"] for name, value in numbers.items() if "/" not in name]
    grouped = [name.split("/", 1) for name in numbers if "/" in name]
    measures, groups = (list(dict.fromkeys(names)) for names in zip(*grouped, strict=True)) if grouped else ([], [])
    rows = [[group, *(_number(numbers, f"{measure}/{group}") for measure in measures)] for group in groups]
    tables = [(["measure", "value"], plain), (["", *measures], rows)]
    return [_table(header, lines) for header, lines in tables if lines]


def _number(numbers: dict[str, float], name: str) -> str:
    return f"{numbers[name]:.4g}" if name in numbers else ""


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def push_result(folder: Path, repository: str) -> None:
    """Upload a result to the hub, without the run's checkpoints, logs and paths.

    Raises:
        TrainingError: the hub cannot be reached, or refuses it.
    """
    api = HfApi()
    try:
        api.create_repo(repository, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository, ignore_patterns=list(_RUN_FILES))
    except Exception as error:  # of the network, rights, or quotas: each of a class of its own
        raise TrainingError(
            f"The result is in {folder}, but could not be uploaded to {repository}: {first_line(error)} "
            f"`hf upload {repository} {folder}` tries again."
        ) from error
