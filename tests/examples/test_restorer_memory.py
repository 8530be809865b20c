import json

import restorer_memory
import torch


def test_benchmark_runs(tiny_restorer_folder, tmp_path):
    output = tmp_path / "memory.json"
    restorer_memory.main(output, restorer=tiny_restorer_folder, width=200, height=150, compared_width=120)
    results = json.loads(output.read_text())
    assert 0.1 < results["peak_gb"] < 4
    assert results["tile"] == results["mean_difference"] == results["largest_jump"] == 0


def test_tiles_are_compared_with_the_whole(tiny_restorer):
    difference = restorer_memory.compare(tiny_restorer, torch.rand(3, 200, 150), tile=160)
    assert 0 < difference["mean_difference"] < difference["largest_jump"] < 255
