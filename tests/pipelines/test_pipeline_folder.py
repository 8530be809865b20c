"""What is said about folders that are no pipeline, or a broken one."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from gendeg import GenDegPipeline
from gendeg.errors import CheckpointError, InputError


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


NETWORKS = ("vae", "text_encoder", "unet", "conditioner", "scm")


def first_weight(folder, part):
    return min(load_file(next((folder / part).glob("*.safetensors"))))


def change_weights(part, change):
    """Write the weights of a component anew, after `change(weights, name)` of one of them."""

    def damage(folder):
        path = next((folder / part).glob("*.safetensors"))
        weights = load_file(path)
        change(weights, min(weights))
        save_file(weights, path, metadata={"format": "pt"})

    return damage


def leave_out(weights, name):
    del weights[name]


def add(weights, name):
    weights["of.another.network"] = weights[name].clone()


def reshape(weights, name):
    weights[name] = torch.zeros(7, 3)


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
    ],
)
def test_a_broken_folder_is_named_with_what_is_wrong(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError) as error:
        GenDegPipeline.from_pretrained(folder)
    assert str(folder) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", NETWORKS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (leave_out, "1 missing: {name})"),
        (add, "1 unknown: of.another.network)"),
        (reshape, "1 of another shape: {name} (7, 3) instead of"),
    ],
)
def test_weights_that_do_not_fit_are_named_with_their_component(folder, part, change, message):
    name = first_weight(folder, part)
    change_weights(part, change)(folder)
    with pytest.raises(CheckpointError) as error:
        GenDegPipeline.from_pretrained(folder)
    assert f"the weights in {part}/ do not fit its config.json ({message.format(name=name)}" in str(error.value)


def test_a_variant_of_the_weights(folder, tiny_pipeline):
    for part in NETWORKS:
        path = next((folder / part).glob("*.safetensors"))
        path.rename(path.with_suffix(".fp16.safetensors"))
    loaded = GenDegPipeline.from_pretrained(folder, variant="fp16")
    assert torch.equal(loaded.unet.conv_in.weight, tiny_pipeline.unet.conv_in.weight)
    change_weights("text_encoder", leave_out)(folder)
    with pytest.raises(CheckpointError, match="the weights in text_encoder/"):
        GenDegPipeline.from_pretrained(folder, variant="fp16")


@pytest.mark.parametrize("source", [None, 5, ["folder"]])
def test_what_names_no_folder(source):
    with pytest.raises(InputError, match=r"name_or_path=.* is neither text nor a path"):
        GenDegPipeline.from_pretrained(source)


def test_a_component_that_is_given_need_not_be_there(folder, tiny_pipeline):
    shutil.rmtree(folder / "unet")
    assert GenDegPipeline.from_pretrained(folder, unet=tiny_pipeline.unet).unet is tiny_pipeline.unet


def test_a_packaged_checkpoint_is_named_otherwise():
    with pytest.raises(CheckpointError, match=r"No pipeline at gendeg-tiny: .*gendeg\.checkpoint\(name\)"):
        GenDegPipeline.from_pretrained("gendeg-tiny")


def test_what_is_neither_a_folder_nor_on_the_hub():
    with pytest.raises(CheckpointError, match=r"a GenDegPipeline from no/where \(no folder here"):
        GenDegPipeline.from_pretrained("no/where")
