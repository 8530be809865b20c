import itertools

import pytest
import torch

from gendeg.errors import InputError
from gendeg.models.tiling import ALIGNMENT, Tiling, blending_weights, check_tiles, cut, map_tiles


@pytest.mark.parametrize("length", [96, 97, 128, 300, 1000, 1383, 4000])
@pytest.mark.parametrize(("tile", "overlap"), [(96, 32), (100, 20), (256, 32), (200, 0)])
def test_pieces_cover_the_side_and_overlap(length, tile, overlap):
    pieces = cut(length, tile, overlap)
    assert pieces[0].start == 0
    assert pieces[-1].stop == length
    assert all(piece.stop - piece.start <= max(tile, min(length, tile)) for piece in pieces)
    assert all(after.start <= before.stop - overlap for before, after in itertools.pairwise(pieces))
    assert all(piece.start % ALIGNMENT == 0 for piece in pieces)
    if len(pieces) > 1:
        shortest = min(piece.stop - piece.start for piece in pieces)
        assert shortest > max(piece.stop - piece.start for piece in pieces) - ALIGNMENT


def test_pieces_are_no_larger_than_they_need_be():
    assert cut(1100, 1024, 32) == [slice(0, 576), slice(544, 1100)]


@pytest.mark.parametrize("overlap", [0, 1, 32])
def test_weights_add_up_to_one_and_rise_smoothly(overlap):
    pieces = cut(500, 160, overlap)
    weights = blending_weights(pieces, overlap)
    total = torch.zeros(500)
    for piece, weight in zip(pieces, weights, strict=True):
        total[piece] += weight
        assert (weight >= 0).all()
    torch.testing.assert_close(total, torch.ones(500), atol=2e-7, rtol=0)
    if overlap == 32:
        assert max(weight.diff().abs().max() for weight in weights) < 0.06


@pytest.mark.parametrize("size", [(300, 200), (97, 500), (50, 60)])
def test_what_tiles_agree_on_is_kept(size):
    image = torch.rand(3, *size)
    result = map_tiles(lambda tile: 1 - image[:, tile.rows, tile.columns], image, Tiling(*size, 96, 32))
    torch.testing.assert_close(result, 1 - image, atol=3e-7, rtol=0)


def test_where_tiles_disagree_there_is_no_seam():
    shades = iter(torch.linspace(0, 1, 100))
    image = torch.zeros(3, 400, 400)

    def shade(tile):
        return torch.full_like(image[:, tile.rows, tile.columns], next(shades).item())

    result = map_tiles(shade, image, Tiling(400, 400, 128, 32))
    assert result.diff(dim=1).abs().max() < 0.08 * result.max()
    assert result.diff(dim=2).abs().max() < 0.08 * result.max()


@pytest.mark.parametrize("tile", [0, 96])
def test_one_tile_is_the_whole_image(tile):
    (only,) = Tiling(70, 90, tile, 32)
    assert only.rows == only.own_rows == slice(0, 70)
    assert only.columns == only.own_columns == slice(0, 90)


@pytest.mark.parametrize(("overlap", "alignment"), [(0, 32), (20, 32), (32, 32), (64, 32), (70, 32), (128, 64)])
def test_each_pixel_has_one_owner(overlap, alignment):
    owners = torch.zeros(777, 1000)
    for tile in Tiling(777, 1000, 400, overlap, alignment):
        owners[tile.own_rows, tile.own_columns] += 1
        own_rows, own_columns = tile.own(1)
        assert torch.arange(777)[tile.rows][own_rows].tolist() == list(range(777)[tile.own_rows])
        assert torch.arange(1000)[tile.columns][own_columns].tolist() == list(range(1000)[tile.own_columns])
        for start in (tile.rows.start, tile.columns.start, tile.own_rows.start, tile.own_columns.start):
            assert start % alignment == 0
    assert (owners == 1).all()


@pytest.mark.parametrize(("tile", "overlap"), [(None, -1), (64, 32), (-1, 0), (1.5, 0), (True, 0), (None, 2.0)])
def test_tiles_that_cannot_blend_are_refused(tile, overlap):
    with pytest.raises(InputError, match=r"give (a number of pixels|None to choose)"):
        check_tiles(tile, overlap)


@pytest.mark.parametrize(("tile", "overlap"), [(None, 32), (0, 0), (96, 32), (32, 0)])
def test_tiles_that_can_blend_are_accepted(tile, overlap):
    check_tiles(tile, overlap)
