import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from gendeg.conversion.text import build_text_encoder, check_vocabulary, load_tokenizer
from gendeg.errors import CheckpointError
from reference import FOLDER

CONFIG = {
    "vocab_size": 60,
    "hidden_size": 128,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 11,
    "bos_token_id": 58,
    "eos_token_id": 59,
    "pad_token_id": 59,
}
TOKENS = torch.tensor([[58, 3, 7, 59, 59]])


@pytest.fixture(scope="module")
def source() -> CLIPTextModel:
    torch.manual_seed(0)
    return CLIPTextModel(CLIPTextConfig(**CONFIG, hidden_act="quick_gelu")).eval()


def plain_weights(source: CLIPTextModel) -> dict[str, torch.Tensor]:
    return {name.removeprefix("text_model."): tensor for name, tensor in source.state_dict().items()}


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "text_model."])
@pytest.mark.parametrize("with_positions", [True, False])
def test_old_and_new_names_with_deduced_sizes(source: CLIPTextModel, prefix: str, with_positions: bool) -> None:
    weights = {prefix + name: tensor for name, tensor in plain_weights(source).items()}
    if with_positions:
        weights[f"{prefix}embeddings.position_ids"] = torch.arange(11)[None]
    encoder = build_text_encoder(weights, None, "gendeg.ckpt")
    assert torch.equal(encoder(TOKENS).last_hidden_state, source(TOKENS).last_hidden_state)


@pytest.mark.parametrize("form", ["dict", "json", "nested", "object"])
def test_config_may_be_given(source: CLIPTextModel, tmp_path: Path, form: str) -> None:
    nested = {"model_type": "clip", "text_config": CONFIG, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(nested))
    path = FOLDER / "text_encoder_config.json"
    given = {"dict": CONFIG, "json": path, "nested": tmp_path / "config.json", "object": CLIPTextConfig(**CONFIG)}[form]
    if form == "json":
        with pytest.raises(CheckpointError, match="does not fit CLIPTextModel"):
            build_text_encoder(plain_weights(source), given, "gendeg.ckpt")
    else:
        assert build_text_encoder(plain_weights(source), given, "gendeg.ckpt").config.num_attention_heads == 2


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"hidden_size": "wide"}', '{"hidden_size": 50, "num_attention_heads": 4}']
)
def test_useless_config_is_refused(source: CLIPTextModel, tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="config"):
        build_text_encoder(plain_weights(source), tmp_path / "config.json", "gendeg.ckpt")


def test_unknown_number_of_heads_is_asked_for() -> None:
    odd = CLIPTextModel(CLIPTextConfig(**(CONFIG | {"hidden_size": 48})))
    with pytest.raises(CheckpointError, match=r"48 wide.*text_encoder_config"):
        build_text_encoder(plain_weights(odd), None, "gendeg.ckpt")


def test_other_text_encoders_are_named() -> None:
    with pytest.raises(CheckpointError, match=r"no CLIP text encoder: 'embeddings\.token_embedding\.weight'"):
        build_text_encoder({"shared.weight": torch.zeros(2, 2)}, None, "t5.ckpt")


def test_tokenizer_from_folder_or_object() -> None:
    tokenizer = load_tokenizer(FOLDER / "tokenizer")
    assert load_tokenizer(tokenizer) is tokenizer
    assert len(load_tokenizer(str(FOLDER), subfolder="tokenizer")) == len(tokenizer) == 520


def test_tokenizer_out_of_reach_is_explained(tmp_path: Path) -> None:
    for name in (None, "nobody/nothing", tmp_path / "missing", tmp_path):
        with pytest.raises(CheckpointError, match="tokenizer=PATH"):
            load_tokenizer(name)


def test_broken_tokenizer_is_explained(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(CheckpointError, match="tokenizer=PATH"):
        load_tokenizer(tmp_path)


def test_too_large_tokenizer_is_refused(source: CLIPTextModel) -> None:
    with pytest.raises(CheckpointError, match="520 tokens and the text encoder 60"):
        check_vocabulary(load_tokenizer(FOLDER / "tokenizer"), source)
