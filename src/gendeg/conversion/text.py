"""The text encoder inside an original checkpoint, and the tokenizer beside it."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerBase

from gendeg.arguments import check_path
from gendeg.checkpoints import load_weights
from gendeg.errors import CheckpointError

DEFAULT_TOKENIZER = "openai/clip-vit-large-patch14"
_TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))  # either will do
HEAD_CHANNELS = 64  # of every CLIP text encoder that OpenAI published

logger = logging.getLogger(__name__)


def build_text_encoder(weights: dict[str, Tensor], config: Any, source: str | os.PathLike[str]) -> CLIPTextModel:
    """CLIP text encoder from the `cond_stage_model.transformer` weights of an original checkpoint.

    Args:
        weights: with or without the leading `text_model.`, which old and new releases of transformers write.
        config: `CLIPTextConfig`, dict, path of a JSON file, or None to deduce it.
        source: the checkpoint, for messages.

    Raises:
        CheckpointError: the weights do not fit the configuration, or it cannot be deduced.
    """
    plain = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    plain.pop("embeddings.position_ids", None)  # a constant that old releases stored
    model = CLIPTextModel(_text_config(config, plain, source)).eval()
    prefix = "text_model." if any(name.startswith("text_model.") for name in model.state_dict()) else ""
    load_weights(model, {prefix + name: tensor for name, tensor in plain.items()}, source)
    return model


def _text_config(config: Any, weights: dict[str, Tensor], source: str | os.PathLike[str]) -> CLIPTextConfig:
    if config is None:
        return _deduce_config(weights, source)
    if isinstance(config, CLIPTextConfig):
        return config
    if not isinstance(config, dict):
        config = _read_json(config)
    config = config.get("text_config", config)  # a whole CLIP's configuration nests the text encoder's
    try:
        return CLIPTextConfig(**config)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise CheckpointError(f"text_encoder_config is not that of a CLIP text encoder. ({error})") from error


def _read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    check_path("text_encoder_config", path)
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as the text encoder's JSON configuration. ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not the text encoder's configuration: it holds no JSON object.")
    return content


def _deduce_config(weights: dict[str, Tensor], source: str | os.PathLike[str]) -> CLIPTextConfig:
    """Sizes from the weights' shapes; 64 channels a head and quick_gelu, as in Stable Diffusion 1.x, are assumed."""
    try:
        vocab_size, hidden_size = weights["embeddings.token_embedding.weight"].shape
        positions = weights["embeddings.position_embedding.weight"].shape[0]
        intermediate_size = weights["encoder.layers.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(
            f"{source} holds no CLIP text encoder: {error} is missing under 'cond_stage_model.transformer'. Give a "
            "checkpoint in the layout of the authors' program."
        ) from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(
            f"{source} holds no CLIP text encoder: the weights under 'cond_stage_model.transformer' have other shapes. "
            "Give a checkpoint in the layout of the authors' program."
        ) from error
    if hidden_size % HEAD_CHANNELS:
        raise CheckpointError(
            f"The text encoder in {source} is {hidden_size} wide, and its number of attention heads is not stored. "
            "Pass text_encoder_config (a JSON file, a dict or a CLIPTextConfig)."
        )
    heads = hidden_size // HEAD_CHANNELS
    logger.info("Text encoder of width %d: assuming %d heads and quick_gelu, as CLIP.", hidden_size, heads)
    return CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=len({name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}),
        num_attention_heads=heads,
        max_position_embeddings=positions,
        hidden_act="quick_gelu",
        bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1,
        pad_token_id=vocab_size - 1,
    )


def load_tokenizer(tokenizer: Any, subfolder: str = "") -> CLIPTokenizer:
    """The tokenizer itself, or loaded from where it lies.

    Args:
        tokenizer: a `CLIPTokenizer`, a folder with its files, a hub name, or None for CLIP-L's from the hub.
        subfolder: where its files lie in that folder.

    Raises:
        CheckpointError: it cannot be reached or read.
    """
    if isinstance(tokenizer, PreTrainedTokenizerBase):
        return tokenizer
    if tokenizer is not None:
        check_path("tokenizer", tokenizer)
    name = DEFAULT_TOKENIZER if tokenizer is None else os.fspath(tokenizer)
    try:
        folder = _tokenizer_folder(name) / subfolder
        # transformers makes an empty tokenizer, without a word, where the files are missing
        if not any(all((folder / file).is_file() for file in files) for files in _TOKENIZER_FILES):
            raise FileNotFoundError(f"{folder} has neither tokenizer.json nor vocab.json and merges.txt")
        return CLIPTokenizer.from_pretrained(folder)
    except Exception as error:  # the tokenizers library raises a bare Exception for files it cannot parse
        raise CheckpointError(
            f"No tokenizer could be loaded from {name}. Pass tokenizer=PATH, a folder with vocab.json, merges.txt and "
            f"tokenizer_config.json; the one of Stable Diffusion 1.5 is published as {DEFAULT_TOKENIZER}. ({error})"
        ) from error


def _tokenizer_folder(name: str) -> Path:
    if Path(name).is_dir():
        return Path(name)
    return Path(snapshot_download(name, allow_patterns=["*vocab.json", "*merges.txt", "*tokenizer*.json"]))


def check_vocabulary(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel) -> None:
    """Refuse a tokenizer that knows more tokens than the text encoder.

    Raises:
        CheckpointError: it does.
    """
    vocab_size = text_encoder.config.vocab_size
    if len(tokenizer) > vocab_size:
        raise CheckpointError(
            f"The tokenizer knows {len(tokenizer)} tokens and the text encoder {vocab_size}; pass tokenizer=PATH of "
            "the one that the checkpoint was trained with."
        )
