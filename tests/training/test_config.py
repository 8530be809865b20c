from dataclasses import fields
from pathlib import Path

import pytest

from gendeg.errors import InputError
from gendeg.training.autoencoder import AutoencoderConfig
from gendeg.training.config import TrainingConfig, parse_config
from gendeg.training.generator import GeneratorConfig
from gendeg.training.restorer_config import RestorerConfig
from gendeg.training.scm import SCMConfig

CONFIGS = Path(__file__).parents[2] / "examples" / "configs"


def test_command_line_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("max_steps: 5\nlearning_rate: 1e-3\nphotos: [a, b]\n")
    config = parse_config(TrainingConfig, ["--config", str(tmp_path / "run.yaml"), "--max-steps", "7", "--resume"])
    assert (config.max_steps, config.learning_rate, config.photos) == (7, 1e-3, ["a", "b"])
    assert config.resume
    assert config.batch_size == TrainingConfig().batch_size


def test_unknown_options() -> None:
    with pytest.raises(InputError, match=r"Unknown options: --max-step-s 7\. --help lists the known ones\.$"):
        parse_config(TrainingConfig, ["--max-step-s", "7"])


def test_limits_are_of_settings_that_exist() -> None:
    for config_class in (AutoencoderConfig, GeneratorConfig, RestorerConfig, SCMConfig):
        settings = {item.name for item in fields(config_class)}
        assert set(TrainingConfig.limits) <= set(config_class.limits) <= settings
        config_class().check_limits()


def test_a_saved_configuration_is_read_back(tmp_path: Path) -> None:
    config = GeneratorConfig(pipeline="folder", max_steps=3, min_snr_gamma=5.0)
    config.save(tmp_path / "config.yaml")
    assert parse_config(GeneratorConfig, ["--config", str(tmp_path / "config.yaml")]) == config


def test_unknown_setting_and_missing_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("max_step: 5\n")
    with pytest.raises(InputError, match="unknown settings: max_step"):
        parse_config(TrainingConfig, ["--config", str(tmp_path / "run.yaml")])
    with pytest.raises(InputError, match="No settings file"):
        parse_config(TrainingConfig, ["--config", "nowhere.yaml"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_steps: [1", "not YAML"),
        ("- max_steps", "holds no settings"),
        ("photos: streets", r"photos: \[streets\]"),
        ("lr_schedule: cosin", r"run\.yaml: .*invalid choice: 'cosin'"),
        ("max_steps: 1.5", r"run\.yaml: .*invalid int value: '1\.5'"),
        ("max_steps: ", r"run\.yaml: max_steps has no value"),
        ("learning_rate: [1]", r"learning_rate is one value; got \[1\]"),
        ("betas: [a, 0.9]", r"run\.yaml: .*invalid float value: 'a'"),
        ("broad_share: 7", r"broad_share=7\.0 is out of range; give a number from 0 to 1"),
    ],
)
def test_broken_settings_file(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        parse_config(TrainingConfig, ["--config", str(tmp_path / "run.yaml")])


@pytest.mark.parametrize(
    ("path", "config_class"),
    [
        ("gendeg-tiny/autoencoder.yaml", AutoencoderConfig),
        ("gendeg-tiny/generator.yaml", GeneratorConfig),
        ("gendeg-tiny/generator-start.yaml", GeneratorConfig),
        ("gendeg-tiny/scm.yaml", SCMConfig),
        ("stable-diffusion/generator.yaml", GeneratorConfig),
        ("stable-diffusion/scm.yaml", SCMConfig),
        *[(f"nafnet-tiny/{path.name}", RestorerConfig) for path in sorted((CONFIGS / "nafnet-tiny").iterdir())],
        *[(f"restorers/{path.name}", RestorerConfig) for path in sorted((CONFIGS / "restorers").iterdir())],
    ],
)
def test_the_examples_are_valid(path: str, config_class: type[TrainingConfig]) -> None:
    assert parse_config(config_class, ["--config", str(CONFIGS / path)]).max_steps > 0
