"""Each recipe trains a real, tiny network and saves something that loads."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler

from gendeg import GenDegPipeline, Severity
from gendeg.errors import InputError, UnknownDegradationError
from gendeg.pipelines.guidance import branch_weights, guided_prediction
from gendeg.pipelines.latents import encode_mode
from gendeg.training import train
from gendeg.training.autoencoder import AutoencoderConfig, AutoencoderRecipe
from gendeg.training.generator import GeneratorConfig, GeneratorRecipe, load_generator, load_teacher, multiscale_error
from gendeg.training.loading import IndexBatches, make_loader
from gendeg.training.scm import SCMConfig, SCMRecipe, load_trained_generator
from gendeg.training.sources import training_pairs, validation_items

COMMON = {"resolution": 32, "batch_size": 2, "max_steps": 2, "validation_count": 4, "checkpoint_every": 1}


def first_batch(config: GeneratorConfig) -> dict:
    return next(iter(make_loader(training_pairs(config), IndexBatches(0, 1, 4), 0)))


def test_autoencoder(photo_folder: Path, tmp_path: Path) -> None:
    config = AutoencoderConfig(
        output_dir=str(tmp_path), photos=[str(photo_folder)], channels=8, encoder_blocks=[0, 1, 1], **COMMON
    )
    config.decoder_blocks = [1, 1, 0]
    items = validation_items(config)
    folder = train(AutoencoderRecipe(config), training_pairs(config), items, config)
    vae = AutoencoderTiny.from_pretrained(folder)
    latents = encode_mode(vae, torch.stack([item["degraded"] for item in items])) * vae.config.scaling_factor
    assert latents.shape == (4, 8, 8, 8)
    assert latents.std().item() == pytest.approx(1, abs=0.02)
    assert (folder / "validation" / "step-0000002.png").is_file()


def generator_config(photo_folder: Path, pipeline: Path, output: Path, **settings: object) -> GeneratorConfig:
    return GeneratorConfig(
        output_dir=str(output), photos=[str(photo_folder)], pipeline=str(pipeline), **(COMMON | settings)
    )


def test_generator(photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    config = generator_config(
        photo_folder,
        tiny_pipeline_folder,
        tmp_path,
        multiscale_weight=0.5,
        change_scale=0.3,
        min_snr_gamma=5.0,
        mixed_precision="bf16",
    )
    before = load_generator(config)
    folder = train(
        GeneratorRecipe(config, load_generator(config)), training_pairs(config), validation_items(config), config
    )
    after = GenDegPipeline.from_pretrained(folder)
    assert not torch.equal(before.unet.conv_in.weight, after.unet.conv_in.weight)
    assert not torch.equal(before.conditioner.stats_proj.weight, after.conditioner.stats_proj.weight)
    for name in ("vae", "text_encoder"):
        frozen = getattr(after, name).state_dict()
        assert all(torch.equal(value, frozen[key]) for key, value in getattr(before, name).state_dict().items())
    assert after.config.change_scale == 0.3
    assert (folder / "validation" / "severity-0000002.png").is_file()


def test_validation_takes_pairs_beyond_the_range_of_requests(
    photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path
) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, tmp_path)
    items = validation_items(config)
    items[0] |= {"mu": torch.tensor(0.8), "sigma": torch.tensor(0.4)}
    items[1] |= {"mu": torch.tensor(0.5), "sigma": torch.tensor(0.45)}
    numbers = GeneratorRecipe(config, load_generator(config)).validate(items, tmp_path, 1)
    assert numbers["mu error"] > 0


def test_validation_does_not_depend_on_the_size_of_its_parts(
    photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path
) -> None:
    def numbers(batch_size: int) -> dict[str, float]:
        config = generator_config(photo_folder, tiny_pipeline_folder, tmp_path, batch_size=batch_size)
        recipe = GeneratorRecipe(config, load_generator(config))
        sizes = []
        recipe.unet.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
        result = recipe.validate(validation_items(config), tmp_path, batch_size)
        assert max(sizes) == batch_size
        return result

    assert numbers(3) == pytest.approx(numbers(4), abs=1e-4)


def test_projections_have_their_own_learning_rate(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, Path("unused"), train_text_encoder=True)
    recipe = GeneratorRecipe(config, load_generator(config))
    groups = recipe.parameter_groups()
    assert [group.get("lr") for group in groups] == [None, 1e-3, None]
    grouped = {id(parameter) for group in groups for parameter in group["params"]}
    assert grouped == {id(parameter) for parameter in recipe.parameters()}


def test_conditioning_dropout_has_the_published_shares(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, Path("unused"))
    recipe = GeneratorRecipe(config, load_generator(config))
    _, timesteps, text, image = recipe._draw(torch.arange(4000), torch.zeros(4000, 1, 1, 1))
    assert (~text & image).float().mean().item() == pytest.approx(0.05, abs=0.012)
    assert (text & ~image).float().mean().item() == pytest.approx(0.05, abs=0.012)
    assert (~text & ~image).float().mean().item() == pytest.approx(0.05, abs=0.012)
    assert (timesteps.min() < 10) & (timesteps.max() > 990)


def test_dropped_text_is_the_null_condition_of_the_pipeline(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, Path("unused"))
    recipe = GeneratorRecipe(config, load_generator(config))
    batch = first_batch(config)
    embeds = recipe._condition(recipe.pipeline, batch, torch.tensor([False, True, True, True]))
    pipe = recipe.pipeline
    null = pipe.condition(pipe.encode_prompt([""]), [Severity(float("nan"), float("nan"))])
    kept = pipe.condition(
        pipe.encode_prompt([batch["prompt"][1]]), [Severity(batch["mu"][1].item(), batch["sigma"][1].item())]
    )
    torch.testing.assert_close(embeds[:1], null)
    torch.testing.assert_close(embeds[1:2], kept)


@pytest.mark.parametrize("draws", [1, 3])
def test_loss_of_an_item_does_not_depend_on_its_batch(
    photo_folder: Path, tiny_pipeline_folder: Path, draws: int
) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, Path("unused"), noise_draws=draws)
    recipe = GeneratorRecipe(config, load_generator(config)).eval()
    batch = first_batch(config)
    alone = [{name: value[i : i + 1] for name, value in batch.items()} for i in range(4)]
    with torch.no_grad():
        together, apart = recipe(batch), torch.stack([recipe(one) for one in alone]).mean()
    torch.testing.assert_close(together, apart)


def test_each_pair_meets_several_noises(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    config = generator_config(photo_folder, tiny_pipeline_folder, Path("unused"), noise_draws=3, mid_noise_share=0.5)
    recipe = GeneratorRecipe(config, load_generator(config))
    batch = first_batch(config)
    noise, timesteps, keeps_text, _ = recipe._draw(batch["index"], torch.zeros(12, 8, 8, 8))
    assert noise.shape == (12, 8, 8, 8)
    assert len(noise.unique(dim=0)) == 12
    assert len(timesteps) == 12
    embeds = recipe._condition(recipe.pipeline, batch, torch.ones_like(keeps_text))
    torch.testing.assert_close(embeds[0], embeds[2])
    assert not torch.equal(embeds[2], embeds[3])  # the next pair's


def distillation(
    photo_folder: Path, pipeline_folder: Path, output: Path = Path("unused"), **settings: object
) -> GeneratorRecipe:
    """A recipe whose teacher is what its student is at the start."""
    settings = {"teacher": str(pipeline_folder)} | settings
    config = generator_config(photo_folder, pipeline_folder, output, **settings)
    pipeline = load_generator(config)
    return GeneratorRecipe(config, pipeline, load_teacher(config, pipeline))


@pytest.mark.parametrize(
    "settings",
    [
        {"teacher_guidance": 1.0},
        {"teacher_guidance_below": 0},
        {
            "teacher_guidance_below": 1000,
            "degradations": ["haze", "rain"],
            "guided_degradations": ["snow", "raindrops"],
        },
    ],
)
def test_a_student_learns_what_its_teacher_predicts(
    photo_folder: Path, tiny_pipeline_folder: Path, settings: dict
) -> None:
    """Where the teacher is not guided, that is what the student predicts itself at the start."""
    recipe = distillation(photo_folder, tiny_pipeline_folder, **settings)
    with torch.no_grad():
        assert recipe(first_batch(recipe.config)).item() == pytest.approx(0, abs=1e-9)


def test_a_student_has_to_learn_guidance(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    """The error grows with the square of what guidance adds to the scale 1."""
    losses = []
    for scale in (2.0, 3.0):
        recipe = distillation(photo_folder, tiny_pipeline_folder, teacher_guidance=scale, teacher_guidance_below=1000)
        with torch.no_grad():
            losses.append(recipe(first_batch(recipe.config)).item())
    assert losses[0] > 0
    assert losses[1] == pytest.approx(4 * losses[0], rel=1e-3)


def test_a_teacher_predicts_what_its_pipeline_does_under_guidance(
    photo_folder: Path, tiny_pipeline_folder: Path
) -> None:
    """Below its timestep, for what it is guided for, also in mixtures, and where the text is kept; else without."""
    recipe = distillation(photo_folder, tiny_pipeline_folder, teacher_guidance=3.0, guided_degradations=["rain"])
    pipe, batch, timesteps = recipe.pipeline, first_batch(recipe.config), torch.tensor([10, 400, 749, 750])
    batch["degradation"] = ["rain", "haze", "rain+haze", "rain"]
    noisy, clean = torch.randn(2, 4, pipe.unet.config.out_channels, 16, 16)
    inputs, kept = torch.cat([noisy, clean], 1), torch.ones(4).bool()
    predicted = recipe._taught(recipe.teacher, torch.ones(4).bool(), inputs, timesteps, batch, kept)
    embeds = pipe.condition(
        pipe.encode_prompt(list(batch["prompt"])),
        [Severity(mu.item(), sigma.item()) for mu, sigma in zip(batch["mu"], batch["sigma"], strict=True)],
    )
    for scale, rows in ((3.0, [0, 2]), (1.0, [1, 3])):
        weights, steps = branch_weights(scale, 1.0), timesteps[rows]
        with torch.no_grad():
            expected = guided_prediction(
                lambda x, text, steps=steps: pipe.unet(x, steps.repeat(len(x) // 2), text).sample,
                noisy[rows],
                clean[rows],
                embeds[rows],
                pipe.null_embeds(),
                weights,
            )
        torch.testing.assert_close(predicted[rows], expected, atol=1e-5, rtol=1e-4)
    without_text = recipe._taught(recipe.teacher, torch.ones(4).bool(), inputs, timesteps, batch, ~kept)
    with torch.no_grad():
        expected = pipe.unet(inputs, timesteps, pipe.null_embeds().expand(4, -1, -1)).sample
    torch.testing.assert_close(without_text, expected, atol=1e-5, rtol=1e-4)


def test_what_is_not_taught_is_learnt_from_pairs(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    """The loss of each item is that of a recipe without a teacher, or that of one who is taught everything."""
    guided = {"teacher_guidance": 2.0, "noise_draws": 2}
    taught_some = distillation(photo_folder, tiny_pipeline_folder, taught_degradations=["rain"], **guided)
    taught_all = distillation(photo_folder, tiny_pipeline_folder, **guided)
    untaught = distillation(photo_folder, tiny_pipeline_folder, teacher=None, noise_draws=2)
    batch = first_batch(taught_some.config)
    batch["degradation"] = ["rain", "haze", "rain+haze", "snow"]
    alone = [{name: value[i : i + 1] for name, value in batch.items()} for i in range(4)]
    with torch.no_grad():
        for one, same_as in zip(alone, (taught_all, untaught, taught_all, untaught), strict=True):
            torch.testing.assert_close(taught_some(one), same_as(one))
        expected = torch.stack([taught_some(one) for one in alone]).mean()
        torch.testing.assert_close(taught_some(batch), expected)


def test_a_distillation_resumes_exactly(photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    """No checkpoint holds the teacher."""

    def learn(name: str, steps: int, **settings: object) -> dict[str, torch.Tensor]:
        settings |= {"noise_draws": 2, "max_steps": steps, "lr_schedule": "constant"}
        torch.manual_seed(0)
        recipe = distillation(photo_folder, tiny_pipeline_folder, tmp_path / name, **settings)
        train(recipe, training_pairs(recipe.config), validation_items(recipe.config), recipe.config)
        return recipe.state_dict()

    whole = learn("whole", 2)
    learn("stopped", 1)
    resumed = learn("stopped", 2, resume=True)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def other_autoencoder(teacher: GenDegPipeline) -> None:
    next(teacher.vae.parameters()).data.neg_()


def other_scale(teacher: GenDegPipeline) -> None:
    teacher.register_to_config(change_scale=0.5)


def other_noise(teacher: GenDegPipeline) -> None:
    teacher.scheduler = type(teacher.scheduler).from_config(teacher.scheduler.config, beta_end=0.03)


def other_quantity(teacher: GenDegPipeline) -> None:
    own = teacher.scheduler.config.prediction_type
    teacher.scheduler.register_to_config(prediction_type="epsilon" if own == "v_prediction" else "v_prediction")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (other_autoencoder, "autoencoder"),
        (other_scale, "change_scale"),
        (other_noise, "noise levels"),
        (other_quantity, "prediction_type"),
    ],
)
def test_a_teacher_predicts_the_same(
    photo_folder: Path,
    tiny_pipeline_folder: Path,
    tmp_path: Path,
    change: Callable[[GenDegPipeline], None],
    named: str,
) -> None:
    teacher = GenDegPipeline.from_pretrained(tiny_pipeline_folder)
    change(teacher)
    teacher.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=f"differ in {named};"):
        distillation(photo_folder, tiny_pipeline_folder, teacher=str(tmp_path))


def test_a_packaged_pipeline_can_teach(photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    """Its sampler keeps a little signal at the last noise level, where that of the run has none."""
    packaged = GenDegPipeline.from_pretrained(tiny_pipeline_folder)
    packaged.scheduler = DPMSolverMultistepScheduler.from_config(packaged.scheduler.config)
    packaged.save_pretrained(tmp_path)
    recipe = distillation(photo_folder, tiny_pipeline_folder, teacher=str(tmp_path))
    assert recipe.pipeline.scheduler.alphas_cumprod[-1] < recipe.teacher.scheduler.alphas_cumprod[-1] < 1e-6


def test_what_is_stored_in_float16_can_teach_and_be_trained(
    photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path
) -> None:
    GenDegPipeline.from_pretrained(tiny_pipeline_folder).to(torch.float16).save_pretrained(tmp_path)
    for student in (tiny_pipeline_folder, tmp_path):
        recipe = distillation(photo_folder, student, teacher=str(tmp_path))
        recipe(first_batch(recipe.config)).backward()
        assert recipe.unet.conv_in.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    "settings",
    [
        {"teacher_guidance": 3.0},
        {"teacher_guidance_below": 900},
        {"taught_degradations": ["snow"]},
        {"guided_degradations": ["snow"]},
    ],
)
def test_settings_of_a_teacher_need_one(photo_folder: Path, tiny_pipeline_folder: Path, settings: dict) -> None:
    with pytest.raises(InputError, match=f"{next(iter(settings))}: of a teacher"):
        distillation(photo_folder, tiny_pipeline_folder, teacher=None, **settings)


def test_a_student_does_not_replace_its_teacher(photo_folder: Path, tiny_pipeline_folder: Path) -> None:
    with pytest.raises(InputError, match="give another --output-dir"):
        distillation(photo_folder, tiny_pipeline_folder, tiny_pipeline_folder)


@pytest.mark.parametrize("setting", ["taught_degradations", "guided_degradations"])
def test_a_teacher_knows_the_degradations(photo_folder: Path, tiny_pipeline_folder: Path, setting: str) -> None:
    with pytest.raises(UnknownDegradationError, match="snoww"):
        distillation(photo_folder, tiny_pipeline_folder, **{setting: ["snoww"]})


def test_a_teacher_stays_as_it_was(photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    recipe = distillation(photo_folder, tiny_pipeline_folder, tmp_path)
    train(recipe, training_pairs(recipe.config), validation_items(recipe.config), recipe.config)
    start = load_generator(recipe.config).unet.state_dict()
    assert all(torch.equal(value, start[name]) for name, value in recipe.teacher.unet.state_dict().items())
    assert not torch.equal(recipe.unet.conv_in.weight, start["conv_in.weight"])
    assert not any(name.startswith("teacher") for name in recipe.state_dict())


def test_generator_needs_one_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="either --pipeline"):
        load_generator(GeneratorConfig())


def test_scm(photo_folder: Path, tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    config = SCMConfig(
        output_dir=str(tmp_path), photos=[str(photo_folder)], pipeline=str(tiny_pipeline_folder), **COMMON
    )
    config.width, config.middle_blocks, config.encoder_blocks, config.decoder_blocks = 4, 1, [1], [1]
    before = load_trained_generator(config)
    folder = train(
        SCMRecipe(config, load_trained_generator(config)), training_pairs(config), validation_items(config), config
    )
    after = GenDegPipeline.from_pretrained(folder)
    assert after.scm.config.width == 4
    assert torch.equal(before.unet.conv_in.weight, after.unet.conv_in.weight)
    with pytest.raises(InputError, match="--pipeline"):
        load_trained_generator(SCMConfig())


def test_multiscale_error_counts_blotches_more() -> None:
    blotch, speckle = torch.ones(1, 4, 16, 16), torch.ones(1, 4, 16, 16)
    speckle[..., ::2] = -1
    assert multiscale_error(blotch, 0.0) == multiscale_error(speckle, 0.0) == 1
    assert multiscale_error(speckle, 0.5) == 1
    assert multiscale_error(blotch, 0.5) == 1 + 0.5 * (2 + 4 + 8)
    with pytest.raises(InputError, match="Use larger crops"):
        multiscale_error(torch.ones(1, 4, 4, 4), 0.5)
