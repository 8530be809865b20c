"""Randomness that is keyed, not drawn in order: each row has its own, whatever else is planned or made.

The key is (seed, scene id, degradation, variant, attempt); the generator is SHA-256, so the numbers are the same on
every machine and with every version of every library.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

BITS = 53  # of a float64's fraction
SEED_BITS = 62  # a seed fits into a signed 64-bit integer everywhere


def row_key(seed: int, scene_id: str, degradation: str, variant: int) -> str:
    """The key of one planned row."""
    return f"{seed}/{scene_id}/{degradation}/{variant}"


def keyed_uniforms(keys: Iterable[str]) -> np.ndarray:
    """Four uniform numbers in [0, 1) for each key, (N, 4)."""
    digests = b"".join(hashlib.sha256(f"{key}/severity".encode()).digest() for key in keys)
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, 4)
    return (words >> np.uint64(64 - BITS)) * 2.0**-BITS


def noise_seed(key: str, attempt: int) -> int:
    """The seed of the noise of one attempt at a row, in [0, 2^62)."""
    digest = hashlib.sha256(f"{key}/noise/{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def keyed_fraction(key: str) -> float:
    """One uniform number in [0, 1)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
