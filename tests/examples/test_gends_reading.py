import json

import gends_reading


def test_all_readers_read_the_same_files(photo_folder, tmp_path, capsys):
    output = tmp_path / "numbers.json"
    gends_reading.main(photo_folder, output, pairs=10, size=16, workers=0, rounds=1)
    results = json.loads(output.read_text())
    streams = {"GenDS, streaming", "GenDS, streaming, one shard at a time"}
    assert set(results["images_per_second"]) == {"plain folder", "GenDS, map-style", *streams}
    assert min(results["images_per_second"].values()) > 0
    assert "plain folder" in capsys.readouterr().out
