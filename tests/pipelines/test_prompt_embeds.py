import logging

import pytest
import torch

from gendeg.pipelines import prompt_embeds
from gendeg.pipelines.prompt_embeds import tokenize


@pytest.mark.parametrize(
    ("side", "lost"), [("left", "its beginning is lost"), ("right", "its end, with the words that name")]
)
def test_what_a_long_prompt_loses_is_said_once(tiny_pipeline, monkeypatch, caplog, side, lost):
    prompt_embeds._warn_once.cache_clear()
    tokenizer, length = tiny_pipeline.tokenizer, tiny_pipeline.conditioner.config.num_tokens
    monkeypatch.setattr(tokenizer, "truncation_side", side)
    with caplog.at_level(logging.WARNING):
        short = tokenize(tokenizer, ["a street, in hazy conditions"], length)
        assert not caplog.records
        long = [tokenize(tokenizer, ["street " * 100 + "in hazy conditions"], length) for _ in range(2)]
    assert short.shape == long[0].shape == (1, length)
    assert torch.equal(*long)
    assert lost in caplog.text
    assert len(caplog.records) == 1
