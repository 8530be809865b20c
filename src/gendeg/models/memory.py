"""How large an image a network can work on with the memory that is free."""

import math
import weakref
from typing import Any

import psutil
import torch
from torch import Tensor, UntypedStorage, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gendeg.models.tiling import ALIGNMENT, smallest_tile

SHARE = 0.5  # of the free memory that is used
CPU_LIMIT = 512 * 2**20  # bytes; larger tiles are not quicker on a CPU
OVERHEAD = 1.7  # measured: peak of the process over that of the tensors (workspaces of convolutions, the allocator)
PROBE = 64  # side of the image that the memory is measured on, at least
ALWAYS_WHOLE = 256  # side of images that are never cut


def automatic_tile(network: nn.Module, height: int, width: int, overlap: int, alignment: int = ALIGNMENT) -> int:
    """Side of the tiles to cut an image into, or 0 for the whole image if that fits into memory.

    What a pixel costs is measured: the bytes that live at the same time while the network works on a small image, with
    70 % on top. On CUDA half of the free memory may be used; elsewhere half of it but at most 512 MiB.

    Args:
        network: (1, 3, H, W) -> the same shape, on the device and in the precision it will work in.
        height, width: of the image, pixels. Up to 256 x 256 are taken whole unmeasured.
        overlap, alignment: of the tiles, see `gendeg.models.tiling`. A tile is never smaller than
            `2 * overlap + alignment`, even where memory is scarcer.
    """
    if height * width <= ALWAYS_WHOLE**2:
        return 0
    parameter = next(network.parameters())
    side = max(PROBE, alignment)  # windows that reach beyond a small image would seem to cost more than they do
    probe = torch.zeros(1, 3, side, side, device=parameter.device, dtype=parameter.dtype)
    pixels = usable_bytes(parameter.device) / (OVERHEAD * peak_bytes(network, probe) / side**2)
    if height * width <= pixels:
        return 0
    return max(math.isqrt(int(pixels)) // ALIGNMENT * ALIGNMENT, smallest_tile(overlap, alignment))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory; on a CPU it has no error of its own for that."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def usable_bytes(device: torch.device) -> float:
    """Bytes of memory that a network may take for its tensors."""
    if device.type != "cuda":
        return min(SHARE * psutil.virtual_memory().available, CPU_LIMIT)
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return SHARE * (free + cached)


def peak_bytes(network: nn.Module, image: Tensor) -> int:
    """Most bytes of tensors that live at the same time while the network works, without its weights."""
    with _LiveBytes() as counter:
        network(image)
    return counter.peak + image.nbytes


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations create, for as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known: dict[int, weakref.ref[UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for storage in _storages((args, kwargs)):  # weights, the image, and what was counted when it was created
            self._known.setdefault(id(storage), weakref.ref(storage))
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):  # that of a view is known already
            if id(storage) not in self._known:
                self._count(storage)
        return result

    def _count(self, storage: UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()

        def release(_: Any) -> None:
            self.live -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, release)
        self.live += size
        self.peak = max(self.peak, self.live)


def _storages(values: Any) -> list[UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
