"""Layouts and folders in a few lines, for people."""

from collections import defaultdict
from pathlib import Path

from gendeg.data.layouts.layout import Layout

LEGEND = (
    "{...} stands for any name, the same for both images; {split} for train, val or test; * for anything; a|b for one "
    "of both. Suffixes of files and the case of letters do not matter."
)
_SHOWN_FOLDERS = 8


def describe_layout(layout: Layout) -> str:
    """Name, release and file patterns of a layout, some lines."""
    kinds = dict.fromkeys(rule.degradation or layout.degradation for rule in layout.rules)
    categories = dict.fromkeys(rule.category or layout.category for rule in layout.rules)
    lines = [f"{layout.name}: {', '.join(kinds)}; {' and '.join(categories)}. {layout.release}"]
    for rule in layout.rules:
        degraded, clean = rule.draw()
        split = f"  -> {rule.split}" if rule.split else ""
        lines += [f"  {degraded}{split}", f"      clean: {clean}"]
    return "\n".join([*lines, f"  {layout.note}"] if layout.note else lines)


def describe_tree(root: Path) -> str:
    """The folders below `root` that hold files: how many of which suffix, and one name as an example."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        folders[path.parent].append(path)
    if not folders:
        return "  no file at all"
    lines = [_describe_folder(root, folder, files) for folder, files in list(folders.items())[:_SHOWN_FOLDERS]]
    left = len(folders) - len(lines)
    return "\n".join([*lines, f"  ... and {left} more folders"] if left else lines)


def _describe_folder(root: Path, folder: Path, files: list[Path]) -> str:
    suffixes = [path.suffix or "without suffix" for path in files]
    counts = ", ".join(f"{suffixes.count(suffix)} {suffix}" for suffix in sorted(set(suffixes)))
    return f"  {folder.relative_to(root).as_posix()}/: {counts}, e.g. {files[0].name}"
