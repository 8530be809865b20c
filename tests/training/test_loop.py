import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import load_file
from torch import Tensor, nn

from gendeg.errors import InputError, MissingExtraError, TrainingError
from gendeg.training import Recipe, train
from gendeg.training.card import _RUN_FILES, push_result
from gendeg.training.checkpointing import find_checkpoints, whole_result
from gendeg.training.config import TrainingConfig
from gendeg.training.loading import IndexBatches, item_generator


class Numbers(torch.utils.data.Dataset):
    """Item i: a vector that depends on i alone."""

    def __len__(self) -> int:
        return 10_000

    def __getitem__(self, index: int) -> dict[str, Tensor | int]:
        return {"x": torch.randn(4, generator=item_generator(0, index)), "index": index}


@dataclass
class ToyConfig(TrainingConfig):
    event: str = "none"
    event_step: int = 4
    pipeline: str | None = None


class ToyRecipe(Recipe[ToyConfig]):
    """A linear model with dropout, so that the global random state matters too."""

    def __init__(self, config: ToyConfig):
        super().__init__(config)
        torch.manual_seed(7)
        self.layer = nn.Linear(4, 4)
        self.steps_seen = 0
        self.indices: list[int] = []

    def forward(self, batch: dict) -> Tensor:
        self.indices += batch["index"].tolist()
        first = int(batch["index"][0])
        loss = (nn.functional.dropout(self.layer(batch["x"]), 0.5) - 1).square().mean()
        if first == self.config.event_step * self.config.batch_size:
            if self.config.event == "signal":
                signal.raise_signal(signal.SIGTERM)
            if self.config.event == "nan":
                return loss * torch.nan
        return loss

    def averaged(self) -> nn.Module:
        return self.layer

    def evaluate(self, items: list) -> list[float]:
        return [self.layer.weight.norm().item() for _ in items]

    def report(self, items: list, results: list[float], folder: Path, step: int) -> dict[str, float]:
        return {"weight": self.layer.weight.norm().item(), "items/all": len(results)}

    def save(self, folder: Path, items: list) -> None:
        torch.save(self.layer.state_dict(), folder / "layer.pt")


def config(folder: Path, **settings: object) -> ToyConfig:
    defaults = {"max_steps": 8, "batch_size": 4, "checkpoint_every": 3, "learning_rate": 0.1, "lr_schedule": "cosine"}
    return ToyConfig(output_dir=str(folder), **(defaults | settings))


def run(settings: ToyConfig) -> ToyRecipe:
    recipe = ToyRecipe(settings)
    train(recipe, Numbers(), [], settings)
    return recipe


def weights(folder: Path) -> dict[str, Tensor]:
    return torch.load(folder / "layer.pt", weights_only=True)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_stopped_and_resumed_run_gives_the_same_weights_bit_for_bit(tmp_path: Path, optimizer: str) -> None:
    run(config(tmp_path / "whole", optimizer=optimizer))
    with pytest.raises(SystemExit):
        run(config(tmp_path / "stopped", optimizer=optimizer, event="signal"))
    names = [path.name for path in find_checkpoints(tmp_path / "stopped")]
    assert names == ["checkpoint-0000003", "checkpoint-0000005"]
    resumed = run(config(tmp_path / "stopped", optimizer=optimizer, resume=True))
    assert resumed.indices == list(range(5 * 4, 8 * 4))
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "stopped")[name])
    for file in ("model.safetensors", "optimizer.bin"):
        whole, stopped = (tmp_path / part / "checkpoint-0000008" / file for part in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()


def test_accumulation_sees_the_same_batches(tmp_path: Path) -> None:
    whole, split = run(config(tmp_path / "a")), run(config(tmp_path / "b", gradient_accumulation_steps=2))
    assert whole.indices == split.indices
    assert len(find_checkpoints(tmp_path / "b")) == 2


def test_nan_loss_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"loss is nan at step 5.*checkpoint-0000003"):
        run(config(tmp_path, event="nan"))
    (last,) = find_checkpoints(tmp_path)
    assert all(value.isfinite().all() for value in load_file(last / "model.safetensors").values())


def test_weights_that_explode_are_never_saved(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"weight is (nan|inf) at step 1\. There is no checkpoint yet"):
        run(config(tmp_path, learning_rate=1e38, max_steps=1, weight_decay=0.0))
    assert not list(tmp_path.glob("layer.pt")) + find_checkpoints(tmp_path)


def test_a_checkpoint_whose_weights_give_no_finite_loss_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"loss is nan at step 5.*checkpoint-0000003\. Lower"):
        run(config(tmp_path, event="nan", checkpoint_every=1))
    assert (tmp_path / "checkpoint-0000004.exploded").is_dir()


def test_refuses_to_start_over_an_earlier_run(tmp_path: Path) -> None:
    run(config(tmp_path))
    with pytest.raises(TrainingError, match="--resume"):
        run(config(tmp_path))


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Nothing to resume"):
        run(config(tmp_path, resume=True))


def test_another_optimizer_cannot_resume(tmp_path: Path) -> None:
    run(config(tmp_path))
    with pytest.raises(TrainingError, match=r"trained with optimizer=adamw, .* muon; resume with the same one"):
        run(config(tmp_path, optimizer="muon", resume=True))


def test_resuming_says_which_settings_differ(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(config(tmp_path))
    run(config(tmp_path, resume=True, log_every=1))
    assert "Other settings" not in caplog.text
    run(config(tmp_path, resume=True, max_steps=10, learning_rate=0.05))
    assert "Other settings than before: max_steps 8 -> 10, learning_rate 0.1 -> 0.05." in caplog.text


def test_resuming_takes_the_settings_of_today(tmp_path: Path) -> None:
    run(config(tmp_path, lr_schedule="constant"))
    run(config(tmp_path, lr_schedule="constant", resume=True, max_steps=9, learning_rate=1e-12, weight_decay=0.0))
    before, after = (load_file(path / "model.safetensors") for path in find_checkpoints(tmp_path)[-2:])
    for name, value in after.items():
        torch.testing.assert_close(value, before[name], atol=1e-9, rtol=0)


def test_damaged_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    run(config(tmp_path))
    (find_checkpoints(tmp_path)[-1] / "optimizer.bin").write_bytes(b"broken")
    with pytest.raises(TrainingError, match="delete it"):
        run(config(tmp_path, resume=True))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"seed": -1}, InputError, "seed=-1 is out of range"),
        ({"seed": 2**32}, InputError, "from 0 to 4294967295"),
        ({"max_steps": 0}, InputError, "max_steps=0 is out of range; give a number from 1 upwards"),
        ({"gradient_accumulation_steps": 0}, InputError, "gradient_accumulation_steps=0"),
        ({"max_grad_norm": -1.0}, InputError, r"max_grad_norm=-1\.0"),
        ({"weight_decay": float("nan")}, InputError, "weight_decay=nan"),
        (
            {"push_to_hub": True, "hub_model_id": "streets"},
            InputError,
            "'streets' is no repository's name",
        ),
        ({"tracker": "all"}, InputError, "'all' is none of .*tensorboard"),
        ({"gradient_accumulation_steps": 3}, InputError, "equal parts"),
        ({"push_to_hub": True}, InputError, "--hub-model-id"),
        ({"betas": [0.9]}, InputError, r"betas are two numbers.*\[0\.9\]"),
        ({"final_learning_rate": 0.2}, InputError, "falls from learning_rate=0.1 to final_learning_rate=0.2"),
        ({"tracker": "nosuch"}, InputError, "'nosuch' is none of .*tensorboard"),
        ({"tracker": "dvclive"}, MissingExtraError, "pip install dvclive"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        run(config(tmp_path, **settings))


def test_model_card_names_settings_and_numbers_but_no_paths(tmp_path: Path) -> None:
    run(config(tmp_path, photos=["/home/somebody/streets"], pipeline="/home/somebody/gendeg-tiny"))
    card = (tmp_path / "README.md").read_text()
    assert "Data: streets." in card
    assert "| max_steps | 8 |" in card
    assert "| pipeline | gendeg-tiny |" in card
    assert "Validation on 0 held-out pairs" in card
    assert "| weight |" in card
    assert "somebody" not in card


def test_a_failed_save_leaves_no_half_result(tmp_path: Path) -> None:
    class FailingRecipe(ToyRecipe):
        def save(self, folder: Path, items: list) -> None:
            super().save(folder, items)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        train(FailingRecipe(config(tmp_path)), Numbers(), [], config(tmp_path))
    assert not list(tmp_path.glob("*.pt"))
    run(config(tmp_path, resume=True))
    assert weights(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_new_result_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "old").touch()
    with whole_result(tmp_path) as folder:
        (folder / "unet").mkdir()
        (folder / "unet" / "new").touch()
        (folder / "index.json").touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "index.json",
        "unet",
        "unet/new",
    ]


def test_a_failed_upload_says_where_the_result_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingError, match=f"The result is in {tmp_path}, but could not be uploaded to you/streets"):
        push_result(tmp_path, "you/streets")


def test_only_the_result_is_uploaded() -> None:
    files = ["README.md", "unet/config.json", "config.yaml", "checkpoint-0000001/model.safetensors", "gendeg/1/events"]
    assert list(filter_repo_objects(files, ignore_patterns=_RUN_FILES)) == ["README.md", "unet/config.json"]


def test_any_number_of_processes_shares_the_same_batches() -> None:
    alone = list(IndexBatches(3, 6, 12))
    parts = [list(IndexBatches(3, 6, 12, process, 4)) for process in range(4)]
    assert [[index for part in parts for index in part[step]] for step in range(3)] == alone
    assert alone[0] == list(range(36, 48))
    with pytest.raises(InputError, match="multiple of processes"):
        IndexBatches(0, 1, 12, 0, 5)
