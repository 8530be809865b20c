"""Near-duplicate pictures: a perceptual hash, and groups of pictures whose hashes are close.

The hash is the usual DCT hash ("pHash", Zauner 2010): 32 x 32 grey pixels, their 8 x 8 lowest cosine frequencies
without the mean, one bit each: above or below the median. Recompression, resizing and mild changes of brightness or
contrast flip a few of the 63 bits; another picture differs in about half of them. Crops and mirrored copies are not
recognised.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import PIL.Image

SIDE, FREQUENCIES = 32, 8
RADIUS = 6
"""Pictures whose hashes differ in at most this many bits count as near-duplicates. Two unrelated hashes do so with a
probability of 8e-12, so that 100 000 unrelated pictures have one pair by chance in 25 collections."""


def _cosines() -> np.ndarray:
    """The lowest cosine frequencies of `SIDE` samples (DCT-II), (8, 32)."""
    frequency, sample = np.arange(FREQUENCIES)[:, None], np.arange(SIDE)[None]
    return np.cos(np.pi * frequency * (2 * sample + 1) / (2 * SIDE))


_COSINES = _cosines()


def perceptual_hash(image: PIL.Image.Image) -> int:
    """The DCT hash of a picture, 63 bits."""
    grey = image.convert("L").resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    spectrum = (_COSINES @ np.asarray(grey, dtype=np.float64) @ _COSINES.T).ravel()[1:]
    spectrum = spectrum.round(3)  # the last digits depend on how a machine adds
    bits = spectrum > np.median(spectrum)
    return int("".join("1" if bit else "0" for bit in bits), 2)


def group_near_duplicates(hashes: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """Group pictures: those within `radius` of each other, and those connected through others.

    Args:
        hashes: uint64, (N,).
        radius: largest number of differing bits.

    Returns:
        For each picture the smallest index of its group, (N,).
    """
    unique, first, members = np.unique(hashes, return_index=True, return_inverse=True)
    parents = np.arange(len(unique))
    for left, right in close_pairs(unique, radius):
        low, high = sorted((_root(parents, left), _root(parents, right)))
        parents[high] = low
    roots = [_root(parents, index) for index in range(len(unique))]
    smallest = first.copy()
    np.minimum.at(smallest, roots, first)
    return smallest[roots][members]


def close_pairs(hashes: np.ndarray, radius: int) -> Iterator[tuple[int, int]]:
    """Pairs of indices whose hashes (N,), all different, differ in at most `radius` bits; a pair may come repeatedly.

    The 64 bits are cut into `radius + 1` bands: hashes that differ in `radius` bits agree in one band at least, so only
    those that share a band are compared.
    """
    edges = np.linspace(0, 64, radius + 2).astype(np.uint64)
    for start, stop in pairwise(edges):
        band = (hashes >> start) & np.uint64(2 ** int(stop - start) - 1)
        order = np.argsort(band, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(band[order])) + 1):
            for position, index in enumerate(bucket[:-1]):
                others = bucket[position + 1 :]
                near = np.bitwise_count(hashes[others] ^ hashes[index]) <= radius
                for other in others[near]:
                    yield int(index), int(other)


def _root(parents: np.ndarray, index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]  # shortens the way for the next look-up
        index = int(parents[index])
    return index
