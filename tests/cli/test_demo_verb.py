import csv

import numpy as np
import PIL.Image
import pytest

from gendeg import measure_severity
from gendeg.cli.demo import usual_severities
from gendeg.imaging import read_image


def read_table(folder):
    with (folder / "severities.csv").open() as file:
        return list(csv.DictReader(file))


def decibels(image, reference):
    difference = np.asarray(image, float) - np.asarray(reference, float)
    return 10 * np.log10(255**2 / np.mean(difference**2))


def test_demo_of_an_own_photo(gendeg, photo_file, tiny_pipeline_folder, tiny_restorer_folder, tiny_restorer, tmp_path):
    output = tmp_path / "demo"
    models = ["--model", tiny_pipeline_folder, "--restorer", tiny_restorer_folder]
    result = gendeg("demo", photo_file, *models, "-o", output)
    assert result.exit_code == 0, result.output
    for sheet in ("contact_sheet.png", "simulated.png", "restored.png"):
        assert PIL.Image.open(output / sheet).width > 1500
    clean, table = read_image(output / "clean.png"), read_table(output)
    assert len(table) == 12
    for row in table:
        degraded, restored = (read_image(output / row[column]) for column in ("file_name", "restored_file_name"))
        assert float(row["achieved_mu"]) == pytest.approx(measure_severity(clean, degraded).mu, abs=1e-4)
        assert np.array_equal(restored, tiny_restorer.restore(degraded))
        before, after = decibels(degraded, clean), decibels(restored, clean)
        assert (float(row["psnr_before"]), float(row["psnr_after"])) == pytest.approx((before, after), abs=0.01)
        assert f"{before:.2f} dB, restored {after:.2f} dB" in result.output
    usual = {f"{degradation}_{strength}.png": sigma for degradation, strength, _, sigma in usual_severities()}
    sigmas = {row["file_name"]: float(row["requested_sigma"]) for row in table}
    assert all(sigma <= usual[name] + 1e-4 for name, sigma in sigmas.items())
    assert sigmas["snow_mild.png"] == pytest.approx(usual["snow_mild.png"], abs=1e-4)  # what is simulated has more
    for mild, strong in zip(table[::2], table[1::2], strict=True):
        assert mild["degradation"] == strong["degradation"]
        assert float(mild["requested_mu"]) < float(strong["requested_mu"])


def test_demo_asks_for_what_the_photo_can_have(gendeg, tiny_pipeline_folder, tiny_restorer_folder, tmp_path):
    """A white wall has no room for snow, and is not blurred."""
    PIL.Image.new("RGB", (48, 48), (250, 250, 250)).save(tmp_path / "wall.png")
    models = ["--model", tiny_pipeline_folder, "--restorer", tiny_restorer_folder]
    result = gendeg("demo", tmp_path / "wall.png", *models, "-o", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    requested = {row["file_name"]: float(row["requested_mu"]) for row in read_table(tmp_path / "demo")}
    assert requested["snow_strong.png"] < 0.02
    assert requested["motion_blur_strong.png"] < 0.002
    assert requested["low_light_strong.png"] > 0.2
    told = [line.split(":")[0].strip() for line in result.stdout.splitlines() if "is reached on this photo" in line]
    assert {"snow_strong", "motion_blur_strong"} <= set(told)
    assert "low_light_strong" not in told


def test_each_file_is_named_once_it_is_there(
    gendeg, photo_file, tiny_pipeline_folder, tiny_restorer_folder, tmp_path, monkeypatch
):
    import typer

    output, named = tmp_path / "demo", []

    def note(text):
        there = [path.name for path in output.glob("[!.]*")]
        named.extend(name for name in there if f"{output / name}:" in text)
        assert set(there) == set(named)  # nothing is there that has not been told yet

    monkeypatch.setattr(typer, "echo", note)
    models = ["--model", tiny_pipeline_folder, "--restorer", tiny_restorer_folder]
    result = gendeg("demo", photo_file, *models, "-o", output)
    assert result.exception is None
    assert named[:2] == ["clean.png", "simulated.png"]
    assert named.index("contact_sheet.png") == 14
    assert len(named) == len(set(named)) == 1 + 12 + 1 + 1 + 12 + 1 + 1


def test_a_wrong_restorer_is_told_before_the_work(gendeg, photo_file, tiny_pipeline_folder, tmp_path):
    models = ["--model", tiny_pipeline_folder, "--restorer", "nafnet-enormous"]
    result = gendeg("demo", photo_file, *models, "-o", tmp_path / "demo")
    assert result.exit_code == 2
    assert "No packaged checkpoint 'nafnet-enormous'" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_a_wrong_generator_leaves_no_folder(gendeg, photo_file, tiny_restorer_folder, tmp_path):
    models = ["--model", "gendeg-enormous", "--restorer", tiny_restorer_folder]
    result = gendeg("demo", photo_file, *models, "-o", tmp_path / "demo")
    assert result.exit_code == 2
    assert "No packaged checkpoint 'gendeg-enormous'" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_a_photo_that_is_too_small_leaves_no_folder(gendeg, tiny_pipeline_folder, tiny_restorer_folder, tmp_path):
    PIL.Image.new("RGB", (8, 8), "teal").save(tmp_path / "small.png")
    models = ["--model", tiny_pipeline_folder, "--restorer", tiny_restorer_folder]
    result = gendeg("demo", tmp_path / "small.png", *models, "-o", tmp_path / "demo")
    assert result.exit_code == 2
    assert "8 x 8 pixels" in result.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("size", [(40, 200), (200, 40)])
def test_sheets_of_any_shape(size, tmp_path):
    from gendeg.cli.contact_sheet import Restoration, Sample, draw_contact_sheet, draw_restored_sheet
    from gendeg.severity import Severity

    image = PIL.Image.new("RGB", size, "teal")
    samples = [Sample("haze", "mild", image, image, Severity(0.1, 0.1), Severity(0.1, 0.1))] * 5
    figure = draw_contact_sheet(image, samples, "gendeg-tiny", "Each at one severity.")
    assert len(figure.axes) == 6
    figure.savefig(tmp_path / "sheet.png", dpi=20)
    figure = draw_restored_sheet([Restoration(sample, image, 20, 26) for sample in samples], "mine")
    assert len(figure.axes) == 15
    assert any("20.0 dB before and 26.0 dB after" in text.get_text() for text in figure.texts)
    figure.savefig(tmp_path / "restored.png", dpi=20)


def test_sample_photo_needs_no_network():
    from gendeg.cli.demo import sample_photo

    assert sample_photo().size == (640, 427)
