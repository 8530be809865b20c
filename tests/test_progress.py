import io
import sys

import pytest

from gendeg import progress
from gendeg.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar(2, "image", file=stderr) as bar:
        bar.update()
        bar.update()
    return stderr.getvalue()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "2/2" in shown(monkeypatch, Terminal())


def test_a_log_shows_long_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO()) == ""
    monkeypatch.setattr(progress, "SECONDS", 1e-9)
    assert "image" in shown(monkeypatch, io.StringIO())


def test_it_can_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert progress_bar(2, "image", shown=False).disable
