import subprocess
import sys
import time

import pytest

import gendeg

PUBLIC = [
    "AutoRestorer",
    "Degradation",
    "DegradationConditioner",
    "GenDegOutput",
    "GenDegPipeline",
    "NAFNet",
    "PromptIR",
    "RandomDegradation",
    "Severity",
    "SeverityPrior",
    "StructureCorrectionModule",
    "SwinRestorer",
    "checkpoint",
    "load_dataset",
    "measure_severity",
    "simulate",
]


def test_exported_names():
    assert gendeg.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(gendeg))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gendeg.nothing


@pytest.mark.parametrize("name", PUBLIC)
def test_exported_name_is_importable_and_documented(name):
    assert getattr(gendeg, name).__doc__
    namespace: dict[str, object] = {}
    exec(f"from gendeg import {name}", namespace)
    assert namespace[name] is getattr(gendeg, name)


def test_import_is_lazy_and_quick():
    code = "import sys, gendeg; assert not {'torch', 'numpy', 'diffusers', 'PIL', 'datasets'} & set(sys.modules)"

    def seconds(program):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - start

    bare = min(seconds("pass") for _ in range(3))
    assert min(seconds(code) for _ in range(3)) - bare < 0.3


def test_errors_form_one_tree():
    from gendeg import errors

    tree = [value for value in vars(errors).values() if isinstance(value, type)]
    assert all(issubclass(error, errors.GenDegError) for error in tree)
    assert all(error.__name__ in errors.__doc__ for error in tree)
