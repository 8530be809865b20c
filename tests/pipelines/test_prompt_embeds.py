import logging

import pytest

from gendeg.errors import warn_once
from gendeg.pipelines.prompt_embeds import tokenize

PHRASE = "in hazy conditions"


@pytest.mark.parametrize(
    ("side", "lost", "keeps_phrase"), [("left", "beginning;", True), ("right", "end, where the degradation", False)]
)
def test_what_a_long_prompt_loses_is_said_once(tiny_pipeline, monkeypatch, caplog, side, lost, keeps_phrase):
    warn_once.cache_clear()
    tokenizer, length = tiny_pipeline.tokenizer, tiny_pipeline.conditioner.config.num_tokens
    monkeypatch.setattr(tokenizer, "truncation_side", side)
    phrase = tokenizer(PHRASE).input_ids[1:-1]
    with caplog.at_level(logging.WARNING):
        short = tokenize(tokenizer, [PHRASE], length)[0].tolist()
        assert short[1 : 1 + len(phrase)] == phrase
        assert not caplog.records
        for _ in range(2):
            long = tokenize(tokenizer, ["street " * 100 + PHRASE], length)[0].tolist()
    assert (long[-1 - len(phrase) : -1] == phrase) == keeps_phrase
    assert lost in caplog.text
    assert len(caplog.records) == 1
