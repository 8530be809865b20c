r"""Teach the text encoder of a small pipeline that only the degradation's phrase matters, whatever stands before it.

python examples/teach_captions.py --pipeline runs/gendeg-tiny/scm --output runs/gendeg-tiny/captions

A small text encoder that was trained with few plain descriptions takes unknown words for another degradation: low light
of "a Chinese palace under a blue sky" came out brighter than the photo. Here the embedding of "<words>, in hazy
conditions" learns to be that of "in hazy conditions": at the phrase and behind it the phrase's own; at the words, which
cannot know the phrase behind them, the mean over the phrases. Phrases alone, and the empty prompt, shall stay as they
are. Nothing else is trained, and no photos are needed: some minutes on two cores.

A long description loses its beginning from now on, not the phrase at its end: the tokenizer keeps the last tokens, and
fewer than the UNet reads, which would take a text without an end for anything.
"""

import copy
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor
from tqdm import trange

from create_tiny_pipeline import SCENES, list_phrases
from gendeg import GenDegPipeline
from gendeg.pipelines.prompt_embeds import tokenize

HELD_OUT = (  # descriptions as captioners and people write them, to measure on
    "an astronaut in front of a flag",
    "a Chinese palace under a blue sky",
    "an orange dahlia",
    "Portrait of my grandmother, Vienna 1962",
    "two zebras drinking at a waterhole",
    "aerial view of highway junction",
    "IMG_2041",
    "there is a large airplane that is parked on the runway at the airport with people walking around it",
    "a black and white photograph of an old steam locomotive crossing a stone viaduct in the mountains, taken from "
    "below on a foggy autumn morning while a shepherd with his dog leads a large flock of sheep along the river bank",
)
KNOWN_WORDS = sorted({word for scene in SCENES for word in scene.replace(",", "").split()})
MOST_WORDS = 50  # with the phrase more tokens than are kept, so that cut texts are learnt, too
MOST_TOKENS = 48


def draw_description(rng: random.Random) -> str:
    """Some words, mostly few: known ones and strings of letters, now and then with a comma."""
    words = []
    for _ in range(round(MOST_WORDS ** rng.random())):
        letters = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(1, 10)))
        word = rng.choice(KNOWN_WORDS) if rng.random() < 0.5 else letters
        words.append(word + "," * (rng.random() < 0.05))
    return " ".join(words).rstrip(",")


def embedding_targets(described: Tensor, alone: Tensor, embeds: Tensor, end: int) -> Tensor:
    """What the embeddings of described phrases shall be (B, L, D): those of the phrases alone.

    Words get what stands at their positions in the phrase alone; the encoder is causal, so it learns the mean of that.

    Args:
        described: tokens of "<words>, <phrase>" (B, L).
        alone: tokens of "<phrase>" (B, L).
        embeds: embeddings of the latter (B, L, D).
        end: the end-of-text token.
    """
    targets = embeds.clone()
    for row, (long, short) in enumerate(zip(described, alone, strict=True)):
        # the last other token: characters that the tokenizer does not know become the end-of-text token, too
        last, size = int((long != end).nonzero()[-1]), int((short != end).nonzero()[-1])
        targets[row, last + 1 - size : last + 1] = embeds[row, 1 : 1 + size]  # the phrase has moved behind the words
    return targets


def teach(pipe: GenDegPipeline, steps: int, batch_size: int, learning_rate: float, seed: int) -> None:
    """Train the text encoder in place, and print how far described phrases are from phrases alone, before and after."""
    length, end = pipe.conditioner.config.num_tokens, pipe.tokenizer.eos_token_id
    phrases, rng = list_phrases(), random.Random(seed)
    student, teacher = pipe.text_encoder.train(), copy.deepcopy(pipe.text_encoder).eval().requires_grad_(False)

    def loss_of(descriptions: Sequence[str], rng: random.Random) -> tuple[Tensor, Tensor]:
        chosen = [rng.choice(phrases) for _ in descriptions]
        described = tokenize(pipe.tokenizer, [f"{d}, {p}" for d, p in zip(descriptions, chosen, strict=True)], length)
        alone = tokenize(pipe.tokenizer, chosen, length)
        with torch.no_grad():
            embeds = teacher(alone)[0]
        kept = tokenize(pipe.tokenizer, ["", *phrases], length)
        return (
            F.mse_loss(student(described)[0], embedding_targets(described, alone, embeds, end)),
            F.mse_loss(student(kept)[0], teacher(kept)[0]),
        )

    def report(when: str) -> None:
        with torch.no_grad():
            moved, changed = loss_of(HELD_OUT * 8, random.Random(seed))
        print(f"{when}: squared difference of described phrases {moved:.4f}, of phrases alone {changed:.5f}")

    report("before")
    optimizer = torch.optim.AdamW(student.parameters(), lr=learning_rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in trange(steps, desc="teaching"):
        moved, changed = loss_of([draw_description(rng) for _ in range(batch_size)], rng)
        optimizer.zero_grad()
        (moved + 10 * changed).backward()
        optimizer.step()
        schedule.step()
    report("after")
    student.eval()


def main(
    pipeline: Annotated[Path, typer.Option(help="Folder of the pipeline.")],
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 3000,
    batch_size: Annotated[int, typer.Option(help="Descriptions in a step.")] = 48,
    learning_rate: Annotated[float, typer.Option(help="It falls to 0.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Decides the descriptions.")] = 0,
) -> None:
    """Load, teach, save."""
    pipe = GenDegPipeline.from_pretrained(pipeline)
    pipe.tokenizer.truncation_side = "left"
    pipe.tokenizer.model_max_length = min(MOST_TOKENS, pipe.tokenizer.model_max_length)
    teach(pipe, steps, batch_size, learning_rate, seed)
    pipe.save_pretrained(output)


if __name__ == "__main__":
    typer.run(main)
