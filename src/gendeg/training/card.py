"""The model card of a training's result, and its upload."""

from dataclasses import asdict
from pathlib import Path

from huggingface_hub import HfApi, ModelCard, ModelCardData

from gendeg.training.config import TrainingConfig

TRACKER_FOLDER = "gendeg"  # trackers name the run's logs so
_RUN_FILES = ("checkpoint-*", ".*", "config.yaml", f"{TRACKER_FOLDER}/*")  # beside the result, not part of it
_LEFT_OUT = ("output_dir", "pipeline", "resume", "push_to_hub", "hub_model_id", "photos", "pairs", "datasets")


def write_model_card(folder: Path, title: str, config: TrainingConfig, numbers: dict[str, float]) -> None:
    """Write `README.md` beside a result: data, settings, and the numbers of the last validation.

    Args:
        folder: where the result lies.
        title: what was trained, one line.
        config: the run's settings; of data folders only the last part of the path is named.
        numbers: what the last validation measured on held-out images.
    """
    metadata = ModelCardData(library_name="gendeg", tags=["gendeg", "image-degradation", "diffusion"])
    sources = [Path(name).name for name in (*config.photos, *config.pairs)] + config.datasets
    settings = {name: value for name, value in asdict(config).items() if name not in _LEFT_OUT}
    content = "\n\n".join(
        [
            f"---\n{metadata.to_yaml()}\n---",
            f"# {title}",
            "Trained with [gendeg](https://arxiv.org/abs/2411.17687). Images whose file name hashes to the validation "
            "split (1 in 20) were held out.",
            f"Data: {', '.join(sources)}.",
            "## Validation on held-out images",
            _table("measure", {name: f"{value:.4g}" for name, value in numbers.items()}),
            "## Settings",
            _table("setting", {name: str(value) for name, value in settings.items()}),
        ]
    )
    ModelCard(content + "\n").save(folder / "README.md")


def _table(header: str, rows: dict[str, str]) -> str:
    return "\n".join([f"| {header} | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def push_result(folder: Path, repository: str) -> None:
    """Upload a result to the hub, without the run's checkpoints, logs and paths."""
    api = HfApi()
    api.create_repo(repository, exist_ok=True)
    api.upload_folder(folder_path=folder, repo_id=repository, ignore_patterns=list(_RUN_FILES))
