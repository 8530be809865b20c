"""Batches by index range, the same for any number of processes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from gendeg.errors import InputError

Item = dict[str, Any]


class IndexBatches(Sampler[list[int]]):
    """Batch number `m` holds the indices `m * batch_size ... (m + 1) * batch_size - 1`; each process takes its slice.

    Args:
        start, stop: range of batch numbers.
        batch_size: indices per batch, over all processes.
        process_index, num_processes: which slice is ours.

    Raises:
        InputError: `batch_size` is not a multiple of `num_processes`.
    """

    def __init__(self, start: int, stop: int, batch_size: int, process_index: int = 0, num_processes: int = 1):
        if batch_size % num_processes:
            raise InputError(
                f"{batch_size} pairs per forward pass cannot be shared by {num_processes} processes; batch_size must "
                "be a multiple of processes times gradient_accumulation_steps."
            )
        self.batches = range(start, stop)
        self.batch_size = batch_size
        self.share = batch_size // num_processes
        self.offset = process_index * self.share

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            first = batch * self.batch_size + self.offset
            yield list(range(first, first + self.share))


def make_loader(dataset: Dataset[Item], batches: IndexBatches, num_workers: int) -> DataLoader[Item]:
    """A loader of batches; worker processes use one thread each and leave the rest to the training."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=num_workers,
        worker_init_fn=_use_one_thread,
        generator=torch.Generator(),  # else a new loader draws from the global state, and a resumed run differs
        pin_memory=torch.cuda.is_available(),
    )


def _use_one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def item_generator(seed: int, index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Source of the noise for one training item; on one kind of device it depends on `seed` and the index alone."""
    return torch.Generator(device).manual_seed((seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9) % 2**63)
