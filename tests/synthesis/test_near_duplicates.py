import io

import numpy as np
import PIL.Image
import skimage.data

from gendeg.synthesis.near_duplicates import RADIUS, close_pairs, group_near_duplicates, perceptual_hash


def distance(a, b):
    return bin(perceptual_hash(a) ^ perceptual_hash(b)).count("1")


def test_recompressed_resized_and_relit_pictures_are_near():
    for name in ("astronaut", "coffee", "rocket", "chelsea"):
        picture = PIL.Image.fromarray(getattr(skimage.data, name)())
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=40)
        assert distance(picture, PIL.Image.open(buffer)) <= RADIUS
        assert distance(picture, picture.resize((picture.width // 3, picture.height // 3))) <= RADIUS
        assert distance(picture, picture.point(lambda value: value * 0.8 + 15)) <= RADIUS


def test_different_pictures_are_far():
    pictures = [PIL.Image.fromarray(getattr(skimage.data, name)()) for name in ("astronaut", "coffee", "rocket")]
    assert min(distance(a, b) for a in pictures for b in pictures if a is not b) > 2 * RADIUS


def brute_force_groups(hashes, radius):
    """Spread the smallest index over close pairs until nothing changes."""
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= radius
    groups = np.arange(len(hashes))
    while True:
        smallest = np.where(near, groups, len(hashes)).min(axis=1)
        if (smallest == groups).all():
            return groups
        groups = smallest


def test_groups_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    for index in range(1, 150):  # chains of copies in which some bits flip
        flips = rng.choice(63, rng.integers(0, 12), replace=False)
        hashes[index] = hashes[rng.integers(index)] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    groups = group_near_duplicates(hashes)
    assert (groups == brute_force_groups(hashes, RADIUS)).all()
    assert 1 < len(np.unique(groups)) < 300


def test_pairs_at_the_radius_are_found_and_beyond_not():
    base = np.uint64(0x5A5A_1234_9876_0F0F)
    bits = [0, 13, 21, 35, 47, 62, 8]
    at, beyond = (base ^ np.uint64(sum(1 << bit for bit in bits[:count])) for count in (RADIUS, RADIUS + 1))
    assert set(close_pairs(np.array([base, at]), RADIUS)) == {(0, 1)}
    assert not list(close_pairs(np.array([base, beyond]), RADIUS))
