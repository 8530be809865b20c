"""The restorer recipe on a real, tiny NAFNet; killed, resumed, and shared by two processes."""

import multiprocessing
import os
import shutil
import signal
import socket
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

from gendeg import NAFNet
from gendeg.errors import InputError, TrainingError
from gendeg.models.auto import AutoRestorer
from gendeg.training import train
from gendeg.training.checkpointing import best_score, find_checkpoints, write_score
from gendeg.training.crops import restoration_crops, restoration_items
from gendeg.training.restorer import RestorerRecipe, load_restorer
from gendeg.training.restorer_config import RestorerConfig

WEIGHTS = "diffusion_pytorch_model.safetensors"

# Children are forked off a process without threads; forked off this one they may wait for its threads for ever.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["gendeg.training.restorer", "gendeg.training.crops"])


def tiny_config(photo_folder: Path, output: Path, **settings: object) -> RestorerConfig:
    defaults = {
        "photos": [str(photo_folder)], "output_dir": str(output), "resolution": 24, "canvas": 32, "crops_per_pair": 2,
        "batch_size": 4, "max_steps": 4, "checkpoint_every": 2, "validation_count": 7, "learning_rate": 1e-2,
        "lr_schedule": "cosine", "warmup_steps": 1, "betas": [0.9, 0.9], "ema_decay": 0.5,
    }  # fmt: skip
    return RestorerConfig(**(defaults | settings))


def tiny_network() -> NAFNet:
    torch.manual_seed(0)
    return NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])


def run(config: RestorerConfig, recipe_class: type[RestorerRecipe] = RestorerRecipe) -> Path:
    recipe = recipe_class(config, tiny_network())
    return train(recipe, restoration_crops(config), restoration_items(config), config)


def write_pairs(root: Path, count: int = 60) -> Path:
    generator = np.random.default_rng(0)
    for number in range(count):
        clean = generator.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        for part, image in (("input", clean // 4), ("target", clean)):
            folder = root / "low_light" / "set" / part
            folder.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(image).save(folder / f"{number}.png")
    return root


def test_trains_on_photos_and_pairs(photo_folder: Path, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs")
    config = tiny_config(
        photo_folder, tmp_path / "run", data=[str(pairs)], data_share=0.3, loss="psnr", frequency_weight=0.1,
        validation_count=8, validate_every=2, gradient_accumulation_steps=2, mixed_precision="bf16",
    )  # fmt: skip
    folder = run(config)
    best, last = NAFNet.from_pretrained(folder / "best"), NAFNet.from_pretrained(folder)
    assert best.config.width == last.config.width == 4
    assert not torch.equal(last.intro.weight, tiny_network().intro.weight)
    assert (folder / "validation" / "step-0000004.png").is_file()
    card = (folder / "README.md").read_text()
    assert "|  | psnr before | psnr | ssim before | ssim |" in card
    assert "| low_light (pairs) | " in card
    assert "| clean |  | " in card
    assert "image-restoration" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize("size", ["promptir-tiny", "swin-tiny"])
def test_trains_other_architectures(photo_folder: Path, tmp_path: Path, size: str) -> None:
    config = tiny_config(photo_folder, tmp_path, model=size, max_steps=1, batch_size=1, warmup_steps=0)
    config.gradient_checkpointing = True
    recipe = RestorerRecipe(config, load_restorer(config))
    before = [parameter.clone() for parameter in recipe.parameters() if parameter.requires_grad]
    train(recipe, restoration_crops(config), restoration_items(config)[:1], config)
    trained = [parameter for parameter in recipe.parameters() if parameter.requires_grad]
    assert not any(torch.equal(old, new) for old, new in zip(before, trained, strict=True))
    assert type(AutoRestorer.from_pretrained(tmp_path)) is type(recipe.restorer)


def test_the_best_result_is_kept(photo_folder: Path, tmp_path: Path) -> None:
    class Worsening(RestorerRecipe):
        def score(self, numbers: dict[str, float]) -> float:
            return -float(self.restorer.ending.bias.abs().sum())

    config = tiny_config(photo_folder, tmp_path, validate_every=1, ema_decay=0.0)
    run(config, Worsening)
    biases = [load_file(folder / WEIGHTS)["ending.bias"].abs().sum().item() for folder in (tmp_path / "best", tmp_path)]
    assert biases[0] <= biases[1]
    assert best_score(tmp_path / "best") == pytest.approx(-biases[0])


def test_a_new_run_is_not_measured_by_an_old_one(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    write_score(tmp_path / "best", score=1e9, step=7)
    run(tiny_config(photo_folder, tmp_path, max_steps=1))
    assert best_score(tmp_path / "best") < 1e9
    assert (tmp_path / "best" / WEIGHTS).is_file()


def test_learns_to_brighten(photo_folder: Path, tmp_path: Path) -> None:
    config = tiny_config(
        photo_folder, tmp_path, photos=[], data=[str(write_pairs(tmp_path / "pairs"))], loss="charbonnier",
        max_steps=60, clean_share=0.0, checkpoint_every=60,
    )  # fmt: skip
    recipe = RestorerRecipe(config, tiny_network())
    items = restoration_items(config)
    train(recipe, restoration_crops(config), items, config)
    with torch.no_grad():
        numbers = recipe.validate(items, tmp_path, 0)
    assert numbers["psnr/low_light (pairs)"] > numbers["psnr before/low_light (pairs)"] + 3


def test_gradient_checkpointing_changes_nothing_but_memory(photo_folder: Path, tmp_path: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        config = tiny_config(photo_folder, tmp_path, gradient_checkpointing=checkpointing)
        crops, recipe = restoration_crops(config), RestorerRecipe(config, tiny_network())
        torch.nn.init.ones_(recipe.restorer.encoders[0][0].beta)
        batch = {name: torch.stack([crops[0][name], crops[1][name]]) for name in ("clean", "degraded")}
        recipe(batch).backward()
        gradients.append(recipe.restorer.encoders[0][0].conv1.weight.grad)
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(*gradients)


def test_an_exploding_learning_rate_keeps_the_last_good_checkpoint(photo_folder: Path, tmp_path: Path) -> None:
    settings = {"checkpoint_every": 1, "warmup_steps": 0, "loss": "l1"}
    run(tiny_config(photo_folder, tmp_path, max_steps=2, **settings))
    with pytest.raises(TrainingError, match=r"is (nan|inf) at step 4.*checkpoint-0000002\. Lower the learning rate"):
        run(tiny_config(photo_folder, tmp_path, max_steps=8, learning_rate=1e30, resume=True, **settings))
    run(tiny_config(photo_folder, tmp_path, max_steps=4, resume=True, **settings))


class DyingRecipe(RestorerRecipe):
    """Dies like a process that is killed, when it sees a certain index."""

    dies_at = 0

    def forward(self, batch: dict) -> torch.Tensor:
        loss = super().forward(batch)
        if self.dies_at in batch["index"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss


def run_dying(config: RestorerConfig, index: int) -> None:
    torch.set_num_threads(1)
    DyingRecipe.dies_at = index
    run(config, DyingRecipe)


def run_until_killed(config: RestorerConfig, index: int) -> None:
    child = PROCESSES.Process(target=run_dying, args=(config, index))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("dies_at", [9, 22])
def test_killed_and_resumed_run_gives_the_same_weights_bit_for_bit(
    photo_folder: Path, tmp_path: Path, dies_at: int
) -> None:
    settings = {"max_steps": 6, "loss": "psnr", "mixed_precision": "bf16", "validate_every": 3}
    whole = run(tiny_config(photo_folder, tmp_path / "whole", **settings))
    killed = tmp_path / "killed"
    run_until_killed(tiny_config(photo_folder, killed, **settings), dies_at)
    assert not (killed / WEIGHTS).exists()
    run(tiny_config(photo_folder, killed, resume=True, **settings))
    for file in (WEIGHTS, f"best/{WEIGHTS}", "checkpoint-0000006/optimizer.bin"):
        assert (whole / file).read_bytes() == (killed / file).read_bytes(), file


def run_as_process(rank: int, count: int, port: int, config: RestorerConfig) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
    )  # fmt: skip
    torch.set_num_threads(1)
    run(config)


def run_on_two_processes(config: RestorerConfig) -> None:
    """What `accelerate launch --multi_gpu --num_processes 2` does on a machine without a GPU."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [PROCESSES.Process(target=run_as_process, args=(rank, 2, port, config)) for rank in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0


def test_two_processes_give_the_weights_of_one_and_resume(photo_folder: Path, tmp_path: Path) -> None:
    settings = {"loss": "psnr", "validate_every": 2, "learning_rate": 1e-3}
    alone = run(tiny_config(photo_folder, tmp_path / "alone", **settings))
    shared = tmp_path / "shared"
    run_on_two_processes(tiny_config(photo_folder, shared, max_steps=2, **settings))
    assert [path.name for path in find_checkpoints(shared)] == ["checkpoint-0000002"]
    whole = tmp_path / "whole"
    run_on_two_processes(tiny_config(photo_folder, whole, **settings))
    expected, got = load_file(alone / WEIGHTS), load_file(whole / WEIGHTS)
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, atol=1e-5, rtol=1e-3)
    stopped = tmp_path / "stopped"
    shutil.copytree(whole / "checkpoint-0000002", stopped / "checkpoint-0000002")
    shutil.copy(whole / "config.yaml", stopped)
    run_on_two_processes(tiny_config(photo_folder, stopped, resume=True, **settings))
    assert (stopped / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_a_run_with_unknown_settings_is_not_resumed(photo_folder: Path, tmp_path: Path) -> None:
    run(tiny_config(photo_folder, tmp_path, max_steps=2))
    settings = tmp_path / "config.yaml"
    settings.write_text(settings.read_text().replace("data: []", "pairs: []"))
    with pytest.raises(InputError, match="unknown settings: pairs"):
        run(tiny_config(photo_folder, tmp_path, resume=True))
