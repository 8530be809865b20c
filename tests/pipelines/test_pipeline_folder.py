"""What is said about folders that are no pipeline, or a broken one."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from gendeg import GenDegPipeline
from gendeg.errors import CheckpointError


@pytest.fixture
def folder(tiny_pipeline_folder, tmp_path):
    return shutil.copytree(tiny_pipeline_folder, tmp_path / "my-pipeline")


def remove(name):
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def truncate(folder):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def leave_out_weight(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    del weights["conv_in.bias"]
    save_file(weights, path, metadata={"format": "pt"})


def index(**changes):
    def change(folder):
        path = folder / "model_index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("model_index.json"), "not the folder of a pipeline: it has no model_index.json. `gendeg convert`"),
        (write("model_index.json", "{"), "model_index.json is damaged"),
        (index(_class_name="StableDiffusionPipeline"), "a StableDiffusionPipeline, not a GenDegPipeline"),
        (index(unet=[None, None]), "model_index.json names no unet"),
        (remove("unet"), "the folder unet/ is missing"),
        (remove("conditioner/config.json"), "conditioner/config.json is missing"),
        (write("vae/config.json", ""), "vae/config.json is damaged"),
        (remove("scheduler/scheduler_config.json"), "scheduler/scheduler_config.json is missing"),
        (remove("text_encoder/model.safetensors"), "text_encoder/ has no weights"),
        (truncate, "unet/diffusion_pytorch_model.safetensors is truncated or damaged"),
        (leave_out_weight, "conv_in.bias"),
    ],
)
def test_a_broken_folder_is_named_with_what_is_wrong(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError) as error:
        GenDegPipeline.from_pretrained(folder)
    assert str(folder) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_component_that_is_given_need_not_be_there(folder, tiny_pipeline):
    shutil.rmtree(folder / "unet")
    assert GenDegPipeline.from_pretrained(folder, unet=tiny_pipeline.unet).unet is tiny_pipeline.unet


def test_what_is_neither_a_folder_nor_on_the_hub():
    with pytest.raises(CheckpointError, match="Cannot load a GenDegPipeline from no/where: "):
        GenDegPipeline.from_pretrained("no/where")
