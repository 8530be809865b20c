import numpy as np
import PIL.Image
import torch

from gendeg.training.figures import HEADER, MARGIN, write_sheet


def test_a_sheet_names_its_columns_and_rows(tmp_path):
    images = torch.rand(3, 2, 3, 32, 48)
    write_sheet(list(zip(["haze", "rain", "haze"], images, strict=True)), ["degraded", "restored"], tmp_path / "s.png")
    sheet = np.asarray(PIL.Image.open(tmp_path / "s.png"))
    assert sheet.shape == (HEADER + 2 * 32, MARGIN + 3 * 48, 3)
    shown = sheet[HEADER + 32 :, MARGIN + 48 : MARGIN + 96]  # the second row of the second column
    assert np.abs(shown / 255 - images[1, 1].permute(1, 2, 0).numpy()).max() < 0.003
    header, side = sheet[:HEADER, MARGIN:], sheet[HEADER:, :MARGIN]
    for part in (*np.split(header, 3, axis=1), *np.split(side, 2, axis=0)):
        assert part.min() < 100
    assert np.array_equal(header[:, :48], header[:, 96:])
    assert sheet[:HEADER, :MARGIN].min() == 255
