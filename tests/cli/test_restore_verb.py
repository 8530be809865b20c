import json

import numpy as np
import PIL.Image
import pytest
import torch

from gendeg import AutoRestorer, NAFNet
from gendeg.imaging import open_image
from gendeg.models.sizes import create_restorer
from gendeg.models.tiling import OVERLAP


@pytest.fixture
def restore(gendeg, tiny_restorer_folder):
    """Run `gendeg restore` with the tiny restorer."""
    return lambda photo, *arguments: gendeg("restore", photo, "--model", tiny_restorer_folder, *arguments)


def test_same_as_the_restorer(restore, photo_file, tiny_restorer, tmp_path):
    result = restore(photo_file, "-o", tmp_path / "clear.png")
    assert result.exit_code == 0, result.output
    assert "clear.png: restored by" in result.output
    expected = tiny_restorer.restore(PIL.Image.open(photo_file))
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "clear.png")), np.asarray(expected))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_mode_and_metadata_are_kept(restore, photo, tmp_path, mode, suffix):
    image = PIL.Image.fromarray(photo).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = PIL.Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    if mode.endswith("A"):
        image.putalpha(PIL.Image.fromarray(photo[..., 0]))
    image.save(tmp_path / f"photo{suffix}", icc_profile=b"profile", dpi=(300, 300))
    result = restore(tmp_path / f"photo{suffix}", "-o", tmp_path / f"clear{suffix}")
    assert result.exit_code == 0, result.output
    restored = open_image(tmp_path / f"clear{suffix}")
    assert restored.mode == mode
    assert restored.size == image.size
    assert restored.info["icc_profile"] == b"profile"
    assert restored.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    if mode.endswith("A"):
        assert np.array_equal(np.asarray(restored.getchannel("A")), photo[..., 0])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_photo_of_a_camera(restore, photo, tmp_path, suffix):
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x0110] = 8, "a camera"  # orientation: turn counter-clockwise
    PIL.Image.fromarray(photo).save(tmp_path / "photo.jpg", exif=exif, icc_profile=b"profile", quality=95)
    assert restore(tmp_path / "photo.jpg", "-o", tmp_path / f"clear{suffix}").exit_code == 0
    restored = open_image(tmp_path / f"clear{suffix}")
    assert restored.size == (photo.shape[0], photo.shape[1])
    assert np.abs(np.asarray(restored) - np.rot90(photo).astype(float)).mean() < 30
    assert dict(restored.getexif()) == {0x0110: "a camera"}
    assert restored.info["icc_profile"] == b"profile"


def test_folder_goes_on_after_failures_and_resumes(restore, photo_folder, tiny_restorer, tmp_path):
    (photo_folder / "park" / "broken.jpg").write_bytes((photo_folder / "b.jpg").read_bytes()[:200])
    output = tmp_path / "out"
    result = restore(photo_folder, "-o", output)
    assert result.exit_code == 1
    assert "3 of 4 images are there, 3 of them new" in result.stdout
    assert "broken.jpg" in result.stderr
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*.png")) == [
        "a.png",
        "b.png",
        "park/c.png",
    ]
    rows = {row["source"]: row for row in map(json.loads, (output / "metadata.jsonl").read_text().splitlines())}
    assert rows["park/c.webp"]["file_name"] == "park/c.png"
    expected = tiny_restorer.restore(open_image(photo_folder / "park" / "c.webp"))
    assert np.array_equal(np.asarray(open_image(output / "park" / "c.png")), np.asarray(expected))

    (output / "a.png").unlink()
    stamp = (output / "b.png").stat().st_mtime_ns
    assert "3 of 4 images are there, 1 of them new" in restore(photo_folder, "-o", output).stdout
    assert (output / "b.png").stat().st_mtime_ns == stamp
    result = restore(photo_folder, "-o", output, "--tile", 160)
    assert result.exit_code == 2
    assert "tile=None, now asked for tile=160" in result.stderr
    assert "3 of them" not in restore(photo_folder, "-o", output, "--tile", 160, "--overwrite").stderr


def test_results_beside_the_photos_are_no_photos(restore, photo_folder):
    assert restore(photo_folder, "-o", photo_folder / "restored").exit_code == 0
    assert "3 of 3 images are there, 0 of them new" in restore(photo_folder, "-o", photo_folder / "restored").stdout
    result = restore(photo_folder, "-o", photo_folder)
    assert result.exit_code == 2
    assert "among the photos" in result.stderr


def test_several_photos(restore, photo_folder, tmp_path):
    result = restore(photo_folder / "b.jpg", photo_folder / "park", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")) == [
        "b.png",
        "park/c.png",
    ]


def test_photos_are_not_restored_into_their_own_folder(restore, photo_folder):
    before = {path: path.read_bytes() for path in photo_folder.rglob("*.*")}
    result = restore(photo_folder / "a.png", photo_folder / "b.jpg", "-o", photo_folder)
    assert result.exit_code == 2
    assert "choose another folder" in result.stderr
    assert {path: path.read_bytes() for path in photo_folder.rglob("*.*")} == before


def test_another_photo_of_the_same_name_is_not_taken_for_done(restore, photo_folder, tmp_path):
    restore(photo_folder / "b.jpg", "-o", tmp_path / "out")
    PIL.Image.open(photo_folder / "a.png").save(photo_folder / "b.webp")
    result = restore(photo_folder / "b.webp", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "was made with source=b.jpg, now asked for source=b.webp" in result.stderr


def test_one_photo_into_a_folder(restore, photo_file, tmp_path):
    assert restore(photo_file, "-o", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "photo.png").is_file()


def test_tiles_and_half_precision(restore, photo_file, tmp_path):
    def pixels(*arguments):
        result = restore(photo_file, *arguments, "-o", tmp_path / "clear.png")
        assert result.exit_code == 0, result.output
        return np.asarray(PIL.Image.open(tmp_path / "clear.png")).astype(float)

    whole = pixels("--tile", 0)
    assert 0 < np.abs(pixels("--tile", 64, "--overlap", 16) - whole).mean() < 2
    assert 0 < np.abs(pixels("--precision", "bfloat16") - whole).mean() < 2


def test_authors_file(gendeg, tiny_restorer, photo_file, tmp_path):
    torch.save({"params": tiny_restorer.state_dict()}, tmp_path / "nafnet.pth")
    result = gendeg("restore", photo_file, "--model", tmp_path / "nafnet.pth", "-o", tmp_path / "clear.png")
    assert result.exit_code == 0, result.output
    result = gendeg("convert", tmp_path / "nafnet.pth", "-o", tmp_path / "nafnet")
    assert "gendeg restore --model" in result.output
    photo = open_image(photo_file)
    restored = AutoRestorer.from_pretrained(tmp_path / "nafnet").restore(photo)
    assert np.array_equal(np.asarray(restored), np.asarray(PIL.Image.open(tmp_path / "clear.png")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tile", 64], "= 160"),
        (["--overlap", -1], "overlap=-1"),
        (["--device", "abacus"], "device 'abacus'"),
        (["--model", "nafnet-enormous"], "No packaged checkpoint 'nafnet-enormous'"),
        (["--model", "nobody/nothing"], "Cannot load a restorer from nobody/nothing"),
    ],
)
def test_bad_arguments(restore, photo_file, tmp_path, arguments, message):
    result = restore(photo_file, *arguments, "-o", tmp_path / "clear.png")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "clear.png").exists()


def test_tiles_are_checked_for_the_restorer_that_is_loaded(gendeg, photo_folder, tmp_path):
    swin = create_restorer("swin-tiny")
    swin.save_pretrained(tmp_path / "swin")
    output = tmp_path / "out"
    result = gendeg("restore", photo_folder, "--model", tmp_path / "swin", "--tile", 64, "-o", output)
    assert result.exit_code == 2, result.output
    assert f"at least 2 * overlap + {swin.tile_alignment} = {2 * OVERLAP + swin.tile_alignment}" in result.stderr
    assert not list(output.glob("**/*.png"))


def test_tiles_overlap_by_default_as_those_of_the_library(restore, photo_file, tmp_path):
    assert restore(photo_file, "-o", tmp_path / "out").exit_code == 0
    assert json.loads((tmp_path / "out" / "metadata.jsonl").read_text())["overlap"] == OVERLAP


def test_bad_photos_and_outputs(restore, photo, photo_file, tmp_path):
    def refusal(photo, output):
        result = restore(photo, "-o", output)
        assert result.exit_code == 2, result.output
        return result.stderr

    assert "No such image" in refusal(tmp_path / "missing.png", tmp_path / "clear.png")
    assert "is empty" in refusal(photo_file, "")
    assert "photo itself" in refusal(photo_file, photo_file)
    assert ".gif is no image format" in refusal(photo_file, tmp_path / "clear.gif")
    PIL.Image.fromarray(photo).convert("RGBA").save(tmp_path / "alpha.png")
    assert "cannot hold an image of mode RGBA" in refusal(tmp_path / "alpha.png", tmp_path / "clear.jpg")
    (tmp_path / "text.png").write_text("hello")
    assert "is not an image" in refusal(tmp_path / "text.png", tmp_path / "clear.png")


def test_pipeline_is_no_restorer(gendeg, photo_file, tiny_pipeline_folder, tmp_path):
    result = gendeg("restore", photo_file, "--model", tiny_pipeline_folder, "-o", tmp_path / "clear.png")
    assert result.exit_code == 2
    assert "not the folder of a restorer but of a generator" in result.stderr
    assert "model_index.json" in result.stderr


def test_a_photo_without_enough_memory_does_not_end_the_folder(restore, photo_folder, monkeypatch, tmp_path):
    forward = NAFNet.forward

    def fail_on_the_first(self, x):
        if x.shape[-2:] == (96, 120):
            raise torch.OutOfMemoryError("full")
        return forward(self, x)

    monkeypatch.setattr(NAFNet, "forward", fail_on_the_first)
    result = restore(photo_folder, "-o", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert "2 of 3 images are there" in result.stdout
    assert "a.png: Out of memory" in result.stderr


def test_wrong_weights_end_the_folder(gendeg, photo_folder, tiny_restorer, tmp_path):
    torch.nn.init.constant_(tiny_restorer.ending.bias, torch.nan)
    tiny_restorer.save_pretrained(tmp_path / "model")
    result = gendeg("restore", photo_folder, "--model", tmp_path / "model", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: NAFNet returned NaN")


def test_a_photo_is_not_overwritten_by_a_folder_that_holds_it(restore, photo_file):
    before = photo_file.read_bytes()
    for arguments in ([], ["--overwrite"]):
        result = restore(photo_file, *arguments, "-o", photo_file.parent)
        assert result.exit_code == 2, result.output
        assert "beside the photo" in result.stderr
    assert photo_file.read_bytes() == before
    assert list(photo_file.parent.iterdir()) == [photo_file]
