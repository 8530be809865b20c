"""The training loop that all recipes share."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType, gather_object, set_seed
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from gendeg.checkpoints import HUB_NAME
from gendeg.errors import InputError, MissingExtraError, TrainingError
from gendeg.progress import progress_bar
from gendeg.training.card import TRACKER_FOLDER, push_result, write_model_card
from gendeg.training.checkpointing import (
    BEST,
    Progress,
    best_score,
    find_checkpoints,
    forget_score,
    latest_checkpoint,
    load_checkpoint,
    require_no_checkpoints,
    save_checkpoint,
    set_aside_checkpoint,
    whole_result,
    write_score,
)
from gendeg.training.config import TrainingConfig, read_settings
from gendeg.training.loading import IndexBatches, make_loader
from gendeg.training.optimizers import make_optimizer
from gendeg.training.recipe import Items, Recipe
from gendeg.training.schedule import learning_rate_factor, make_schedule
from gendeg.training.signals import stop_signals

logger = logging.getLogger(__name__)

SETTINGS = "config.yaml"  # of a run, in its folder


def train(recipe: Recipe[Any], dataset: Dataset[dict[str, Any]], items: Items, config: TrainingConfig) -> Path:
    """Train a recipe and save its result.

    The run writes `checkpoint-<step>` folders, `validation/`, `config.yaml` and at the end the result with its model
    card to `config.output_dir`; where the recipe scores validations, the best result so far is in `best/`. With
    `config.resume` it goes on exactly where the latest checkpoint stopped: on the same machine the weights come out
    bit for bit as without the interruption. Ctrl-C and SIGTERM save a checkpoint first.

    Args:
        recipe: the networks and their loss.
        dataset: map-style pairs with an index as large as needed, such as `TrainingPairs`.
        items: held-out pairs to validate on.
        config: settings; see `TrainingConfig`.

    Returns:
        Folder of the result.

    Raises:
        TrainingError: loss, gradient or weights are not finite, there is nothing to resume, checkpoints of an earlier
            run are in the way, or the upload failed.
        InputError: a number is out of range, `batch_size` cannot be split over processes and accumulation steps,
            impossible betas or learning rates, no repository to push to, or no such tracker.
        MissingExtraError: the tracker is not installed.
        SystemExit: stopped by a signal, after a checkpoint was saved.
    """
    _check(config)
    return _Run(recipe, items, config).train(dataset)


def _check(config: TrainingConfig) -> None:
    config.check_limits()
    if config.batch_size % config.gradient_accumulation_steps:
        raise InputError(
            f"batch_size={config.batch_size} cannot be split into {config.gradient_accumulation_steps} equal parts "
            "(gradient_accumulation_steps); change either."
        )
    if len(config.betas) != 2 or not all(0 <= beta < 1 for beta in config.betas):
        raise InputError(f"betas are two numbers in [0, 1), e.g. 0.9 0.999; got {config.betas}.")
    if not 0 <= config.final_learning_rate <= config.learning_rate or config.learning_rate == 0:
        raise InputError(
            f"The learning rate falls from learning_rate={config.learning_rate:g} to final_learning_rate="
            f"{config.final_learning_rate:g}; the first must be above 0, and the second between 0 and the first."
        )
    if config.mixed_precision == "fp16" and not torch.accelerator.is_available():
        raise InputError("mixed_precision=fp16 needs a GPU; on a CPU give bf16 or no.")
    if config.push_to_hub and not config.hub_model_id:
        raise InputError("--push-to-hub needs --hub-model-id, e.g. you/gendeg-streets.")
    if config.hub_model_id and not HUB_NAME.fullmatch(config.hub_model_id):
        raise InputError(f"hub_model_id={config.hub_model_id!r} is no repository's name, e.g. you/gendeg-streets.")
    trackers = [name for name in LoggerType.list() if name != LoggerType.ALL.value]
    if config.tracker and config.tracker not in trackers:
        raise InputError(f"tracker={config.tracker!r} is none of {', '.join(trackers)}.")
    if config.tracker and config.tracker not in get_available_trackers():
        raise MissingExtraError(f"The tracker {config.tracker!r} is not installed: pip install {config.tracker}.")


class _Run:
    """One training run: the accelerator, the optimiser, and how far it got."""

    def __init__(self, recipe: Recipe[Any], items: Items, config: TrainingConfig):
        self.config = config
        self.recipe = recipe
        self.items = items
        self.folder = Path(config.output_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.accelerator = Accelerator(
            cpu=not torch.accelerator.is_available(),  # else several processes on CPUs would train apart
            mixed_precision=config.mixed_precision,
            gradient_accumulation_steps=config.gradient_accumulation_steps,
            log_with=config.tracker,
            project_dir=config.output_dir,
        )
        set_seed(config.seed)
        recipe.to(self.accelerator.device)
        _store_channels_last(recipe)
        recipe.prepare(self.accelerator.device)
        self.average = _make_average(recipe, config.ema_decay)
        optimizer = make_optimizer(recipe.parameter_groups(), config)
        self.schedule = make_schedule(optimizer, config)
        self.model, self.optimizer = self.accelerator.prepare(recipe, optimizer)
        self.progress = Progress()
        self.losses: list[Tensor] = []
        self.accelerator.register_for_checkpointing(self.schedule, self.progress)
        if self.average:
            self.accelerator.register_for_checkpointing(self.average)

    def train(self, dataset: Dataset[dict[str, Any]]) -> Path:
        config = self.config
        self._begin()
        loader = make_loader(dataset, self._remaining_batches(), config.num_workers)
        shows_bar = self.accelerator.is_local_main_process
        bar = progress_bar(config.max_steps, "step", shown=shows_bar, initial=self.progress.step)
        self.model.train()
        with stop_signals() as received:
            for batch in loader:
                self._learn(batch)
                if self.accelerator.sync_gradients:
                    bar.update()
                    self._after_step(bar, stop=self._anywhere(received))
        bar.close()
        self._finish()
        return self.folder

    def _after_step(self, bar: tqdm, stop: bool) -> None:
        config, step = self.config, self.progress.step
        if step % config.log_every == 0:
            self._log(bar)
        if step % config.checkpoint_every == 0 or step == config.max_steps or stop:
            self._require_finite_weights()
            save_checkpoint(self.accelerator, self.folder, step, config.keep_checkpoints)
        if stop:
            logger.warning("Stopped at step %d; add --resume to go on.", step)
            raise SystemExit(1)
        if step % config.validate_every == 0 and step < config.max_steps:
            self._validate()

    def _anywhere(self, received: list[int]) -> bool:
        """Whether any process received a stop signal; all stop at the same step."""
        if self.accelerator.num_processes == 1:
            return bool(received)
        count = torch.tensor(len(received), device=self.accelerator.device)
        return bool(self.accelerator.reduce(count, reduction="sum"))

    def _begin(self) -> None:
        if self.config.resume:
            self._resume()
        else:
            require_no_checkpoints(self.folder)
            forget_score(self.folder / BEST)
        if self.average:
            self.average.to(self.accelerator.device)
        if self.accelerator.is_main_process:
            self.config.save(self.folder / SETTINGS)
        if self.config.tracker:
            self.accelerator.init_trackers(TRACKER_FOLDER)

    def _resume(self) -> None:
        """Go on from the latest checkpoint, with the settings of today: a checkpoint would bring back its own."""
        checkpoint = latest_checkpoint(self.folder)
        former = read_settings(type(self.config), self.folder / SETTINGS)
        self._require_optimizer(former.get("optimizer", "adamw"))  # settings of before there was a choice name none
        names = ("initial_lr", "betas", "weight_decay")
        settings = [{name: group[name] for name in names} for group in self.optimizer.param_groups]
        load_checkpoint(self.accelerator, checkpoint)
        logger.warning("Resuming from %s.", checkpoint)
        factor = learning_rate_factor(self.config, self.progress.step)
        for group, own in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(own, lr=own["initial_lr"] * factor)
        self.schedule.base_lrs = [own["initial_lr"] for own in settings]
        if self.average:
            self.average.decay = self.config.ema_decay
        changes = self.config.changes_since(former)
        if changes and self.accelerator.is_main_process:
            logger.warning("Other settings than before: %s. The result may differ.", ", ".join(changes))

    def _require_optimizer(self, former: str) -> None:
        if former != self.config.optimizer:
            raise TrainingError(
                f"{self.folder} was trained with optimizer={former}, whose state is no use to {self.config.optimizer}; "
                "resume with the same one, or start in another folder."
            )

    def _remaining_batches(self) -> IndexBatches:
        parts = self.config.gradient_accumulation_steps
        return IndexBatches(
            self.progress.step * parts,
            self.config.max_steps * parts,
            self.config.batch_size // parts,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )

    def _learn(self, batch: dict[str, Any]) -> None:
        """One forward and backward pass; an optimiser step when the batch's last part is done."""
        accelerator = self.accelerator
        with accelerator.accumulate(self.model):
            with accelerator.autocast():
                loss = self.model(_to_device(batch, accelerator.device))
            if not self._is_finite(loss):
                set_aside_checkpoint(self.accelerator, self.folder, self.progress.step)  # its weights gave this loss
                raise self._explosion("loss", loss, self.progress.step + 1)
            self.losses.append(loss.detach())
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                norm = accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
                # with fp16 the gradient scaler skips steps that overflow
                if self.config.mixed_precision != "fp16" and not self._is_finite(norm):
                    raise self._explosion("gradient", norm, self.progress.step + 1)
            self.optimizer.step()
            self.optimizer.zero_grad()
        if accelerator.sync_gradients:
            self.schedule.step()
            self.progress.step += 1
            if self.average:
                self.average.step(_averaged_parameters(self.recipe))

    def _is_finite(self, value: Tensor) -> bool:
        """Whether a number is finite in all processes; they stop at the same step."""
        return bool(torch.isfinite(self.accelerator.reduce(value.detach(), reduction="mean")))

    def _require_finite_weights(self) -> None:
        """What is saved can be gone on with."""
        largest = torch.stack([parameter.detach().abs().max() for parameter in self.recipe.parameters()]).max()
        if not self._is_finite(largest):
            raise self._explosion("largest weight", largest, self.progress.step)

    def _explosion(self, name: str, value: Tensor, step: int) -> TrainingError:
        good = find_checkpoints(self.folder)
        kept = f"The last good checkpoint is {good[-1]}" if good else "There is no checkpoint yet"
        return TrainingError(
            f"The {name} is {value.item()} at step {step}. {kept}. Lower the learning rate, or try "
            "--mixed-precision no."
        )

    def _log(self, bar: tqdm) -> None:
        loss = self.accelerator.reduce(torch.stack(self.losses).mean(), reduction="mean").item()
        self.losses.clear()
        rate = self.schedule.get_last_lr()[0]
        bar.set_postfix(loss=f"{loss:.4f}", lr=f"{rate:.1e}", refresh=False)
        self.accelerator.log({"loss": loss, "learning_rate": rate}, step=self.progress.step)

    def _validate(self) -> dict[str, float]:
        """Numbers of the held-out items, in the main process. Processes share the items, lest one keep all waiting."""
        process, count = self.accelerator.process_index, self.accelerator.num_processes
        first, last = (len(self.items) * part // count for part in (process, process + 1))
        with self._averaged_weights():
            # compiling for the sizes of validation takes longer than validating
            with self.accelerator.autocast(), torch.compiler.set_stance("force_eager"):
                results = gather_object(self.recipe.evaluate(self.items[first:last]))
            numbers = self._report(results) if self.accelerator.is_main_process else {}
        self.model.train()
        self.accelerator.wait_for_everyone()
        return numbers

    def _report(self, results: list[Any]) -> dict[str, float]:
        step = self.progress.step
        numbers = self.recipe.report(self.items, results, self.folder / "validation", step)
        self.accelerator.log(numbers, step=step)
        overall = {name: value for name, value in numbers.items() if "/" not in name}
        shown = overall or numbers  # those of groups go to the tracker and the model card
        logger.warning("Step %d: %s", step, ", ".join(f"{name} {value:.4g}" for name, value in shown.items()))
        score = self.recipe.score(numbers)
        if score is not None and score > best_score(self.folder / BEST):
            self._save_result(self.folder / BEST, numbers)
            write_score(self.folder / BEST, score, step)
        return numbers

    def _save_result(self, folder: Path, numbers: dict[str, float]) -> None:
        with whole_result(folder) as temporary:
            self.recipe.save(temporary, self.items)
            write_model_card(temporary, self.recipe, numbers, len(self.items))

    def _finish(self) -> None:
        numbers = self._validate()
        if self.accelerator.is_main_process:
            with self._averaged_weights():
                self._save_result(self.folder, numbers)
            if self.config.push_to_hub and self.config.hub_model_id:
                push_result(self.folder, self.config.hub_model_id)
        self.accelerator.end_training()

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Put the averaged weights into the recipe for the time being, in evaluation mode and without gradients."""
        self.recipe.eval()
        with torch.no_grad():
            if not self.average:
                yield
                return
            parameters = list(_averaged_parameters(self.recipe))
            self.average.store(parameters)
            self.average.copy_to(parameters)
            yield
            self.average.restore(parameters)


def _store_channels_last(module: nn.Module) -> None:
    """Bring convolutions into the memory format that they are quickest in."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(memory_format=torch.channels_last)


def _averaged_parameters(recipe: Recipe[Any]) -> Iterator[nn.Parameter]:
    module = recipe.averaged()
    return iter(()) if module is None else module.parameters()


def _make_average(recipe: Recipe[Any], decay: float) -> EMAModel | None:
    return None if recipe.averaged() is None else EMAModel(_averaged_parameters(recipe), decay=decay, foreach=True)


def _to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
