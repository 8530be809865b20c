import csv

import PIL.Image
import pytest

from gendeg import measure_severity
from gendeg.imaging import read_image


def read_table(folder):
    with (folder / "severities.csv").open() as file:
        return list(csv.DictReader(file))


def test_demo_of_an_own_photo(gendeg, photo_file, tiny_pipeline_folder, tmp_path):
    output = tmp_path / "demo"
    result = gendeg("demo", photo_file, "--model", tiny_pipeline_folder, "-o", output)
    assert result.exit_code == 0, result.output
    assert str(output / "contact_sheet.png") in result.output
    assert PIL.Image.open(output / "contact_sheet.png").width > 1500
    table = read_table(output)
    assert len(table) == 12
    for row in table:
        achieved = measure_severity(read_image(output / "clean.png"), read_image(output / row["file_name"]))
        assert float(row["achieved_mu"]) == pytest.approx(achieved.mu, abs=1e-4)
    for mild, strong in zip(table[::2], table[1::2], strict=True):
        assert mild["degradation"] == strong["degradation"]
        assert float(mild["requested_mu"]) < float(strong["requested_mu"])


@pytest.mark.parametrize("size", [(40, 200), (200, 40)])
def test_contact_sheet_of_any_shape(size, tmp_path):
    from gendeg.cli.contact_sheet import Sample, draw_contact_sheet
    from gendeg.severity import Severity

    image = PIL.Image.new("RGB", size, "teal")
    samples = [Sample("haze", "mild", image, Severity(0.1, 0.1), Severity(0.1, 0.1))] * 5
    figure = draw_contact_sheet(image, samples)
    assert len(figure.axes) == 6
    figure.savefig(tmp_path / "sheet.png", dpi=20)


def test_sample_photo_needs_no_network():
    from gendeg.cli.demo import sample_photo

    assert sample_photo().size == (640, 427)
