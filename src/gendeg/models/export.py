"""Restorers for other runtimes: a `torch.export` program, or an ONNX file; for images of any height and width.

Once exported, `onnxruntime.InferenceSession("restorer.onnx").run(None, {"image": pixels})` restores without PyTorch.
"""

import contextlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shape_config

from gendeg.errors import CheckpointError, InputError, MissingExtraError, first_line
from gendeg.files import whole_file
from gendeg.models.means import WindowMean
from gendeg.models.nafnet import NAFNet
from gendeg.models.restorer import Restorer
from gendeg.models.swin import SwinRestorer
from gendeg.models.swin_windows import windows_for_all_sizes

SMALLEST, LARGEST = 16, 2**15  # side in pixels that an exported network is for
TRACED = (71, 53)  # (height, width) of the image the graph is recorded with; odd, so that padding is part of it
CHECKED = [(64, 64), (33, 57), (50, 101)]  # (height, width) of the images on which the result is compared
TOLERANCE = 1e-3  # of 1, the range of an image


def export_program(restorer: Restorer) -> ExportedProgram:
    """Record a restorer as a graph, for one image of any size.

    NAFNet, PromptIR and SwinRestorer are known to be recorded and to agree with PyTorch at all sizes.

    Args:
        restorer: in float32, on the CPU; it is switched to evaluation mode.

    Returns:
        The program: `program.module()(x)` takes and returns (1, 3, H, W), sides from 16 (SwinRestorer: 33; NAFNet of
        four levels: 17) to 32 768, in [0, 1] and not clamped, as `restorer(x)`. `torch.export.save` writes it.

    Raises:
        InputError: the network cannot be recorded for all sizes. The test-time local converter cannot: its windows
            depend on the size.
    """
    if restorer.dtype != torch.float32 or restorer.device.type != "cpu":
        raise InputError(
            f"The restorer is in {restorer.dtype} on {restorer.device}; export it from float32 on the CPU: "
            "restorer.float().cpu()."
        )
    if any(isinstance(module, WindowMean) for module in restorer.modules()):
        raise InputError(
            "The test-time local converter cannot be recorded for images of all sizes: its windows depend on the size. "
            "Load the restorer without it: from_pretrained(..., tlc_window=None)."
        )
    return _record(restorer.eval())


def _record(restorer: Restorer) -> ExportedProgram:
    windows = (
        windows_for_all_sizes(restorer.encoder) if isinstance(restorer, SwinRestorer) else contextlib.nullcontext()
    )
    try:
        # No conclusions from the sizes of the recorded image, e.g. that its rows lie without gaps in memory.
        with torch.no_grad(), windows, shape_config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            return torch.export.export(restorer, (torch.rand(1, 3, *TRACED),), dynamic_shapes=_shapes(restorer))
    except (RuntimeError, ValueError, AssertionError) as error:  # torch fails to word some violated sizes: the last
        raise InputError(
            f"{type(restorer).__name__} cannot be recorded for images of all sizes: {first_line(error)}"
        ) from error


def _smallest(restorer: Restorer) -> int:
    """From this side on the coarsest features have more than one pixel, and so one layout in memory."""
    if isinstance(restorer, SwinRestorer):
        return 33
    if isinstance(restorer, NAFNet):
        return max(SMALLEST, 2 ** len(restorer.downs) + 1)
    return SMALLEST


def _shapes(restorer: Restorer) -> dict[str, dict[int, Any]]:
    smallest = _smallest(restorer)
    return {"x": {2: Dim("height", min=smallest, max=LARGEST), 3: Dim("width", min=smallest, max=LARGEST)}}


def export_onnx(restorer: Restorer, path: str | os.PathLike[str]) -> float:
    """Write a restorer as ONNX file, checked against PyTorch with onnxruntime at several sizes.

    Args:
        restorer: see `export_program`.
        path: file to write; it appears when the check is passed. The graph takes `image`, float32 (1, 3, H, W) in
            [0, 1], and returns `restored`, not clamped.

    Returns:
        The largest difference from PyTorch that was found.

    Raises:
        InputError: see `export_program`; or the file cannot be written.
        CheckpointError: the results differ by more than 0.001.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    runtime = _import_runtime()
    program = export_program(restorer)
    with whole_file(Path(path)) as temporary:
        converted: Any = torch.onnx.export(
            program,
            input_names=["image"],
            output_names=["restored"],
            dynamic_shapes=_shapes(restorer),  # for the names of the sides
            dynamo=True,
            verbose=False,
        )
        converted.save(temporary, external_data=False)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        difference = max(_difference(session, restorer, torch.rand(1, 3, *size)) for size in CHECKED)
        if not difference <= TOLERANCE:  # NaN is not
            raise CheckpointError(f"The ONNX graph differs from {type(restorer).__name__} by {difference:.2g}.")
    return difference


def _import_runtime() -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX needs onnx, onnxscript and onnxruntime ({error}): pip install 'gendeg[onnx]'."
        ) from error
    return onnxruntime


@torch.no_grad()
def _difference(session: Any, restorer: Restorer, image: Tensor) -> float:
    (restored,) = session.run(None, {"image": image.numpy()})
    if restored.shape != image.shape:
        return math.inf
    return float(np.abs(restored - restorer(image).numpy()).max())
