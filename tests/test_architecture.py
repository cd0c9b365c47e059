"""What holds for the whole package: names, extras, sizes, and what imports what."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import programs
import pytest

import seacall
from seacall.errors import MissingExtraError, require

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src" / "seacall").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
EXTRAS = PROJECT["optional-dependencies"]


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    program = (
        f"{statement}\nimport sys\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = programs.run("-c", program)
    assert done.code == 0, done.err
    return set(done.out.split())


def test_importing_seacall_loads_no_numpy_and_no_torch():
    assert loaded_by("import seacall").isdisjoint({"numpy", "torch", "pandas", "scipy"})


@pytest.mark.parametrize(
    "statement",
    [
        "import seacall.detect.files, seacall.models.backend, seacall.models.describe",
        "import seacall.cli.main",
        "import seacall; seacall.classify_paths, seacall.load_classifier",
    ],
)
def test_whoever_runs_a_model_loads_no_torch_and_no_pandas(statement):
    heavy = {"torch", "pandas", "matplotlib", "onnx", "safetensors", "jinja2"}
    assert loaded_by(statement).isdisjoint(heavy)


def test_the_command_line_starts_without_numpy():
    assert "numpy" not in loaded_by("import seacall.cli.main")


def test_detection_of_a_real_file_loads_no_torch(tiny_model, tmp_path):
    from sounds import noise, write_wav

    path = write_wav(tmp_path / "a.wav", noise(duration_s=1.0))
    statement = (
        "from pathlib import Path\nimport seacall\n"
        f"seacall.classify_paths([Path({str(path)!r})], "
        f"seacall.load_classifier(Path({str(tiny_model)!r})), "
        f"out=Path({str(tmp_path / 'o.csv')!r}))"
    )
    assert "torch" not in loaded_by(statement)


def test_every_public_name_loads():
    for name in seacall.__all__:
        assert getattr(seacall, name).__doc__


def test_public_names_are_sorted_and_are_all_there():
    from seacall import _HOMES

    constants = [name for name in seacall.__all__ if name.isupper()]
    rest = [name for name in seacall.__all__ if not name.isupper()]
    classes = [name for name in rest if name[0].isupper()]
    functions = [name for name in rest if not name[0].isupper()]
    for names in (constants, classes, functions):
        assert names == sorted(names)
    assert seacall.__all__ == [*constants, *classes, *functions]
    assert set(seacall.__all__) == set(_HOMES)
    assert set(dir(seacall)) == {*seacall.__all__, "__version__"}


def test_the_version_is_that_of_the_project():
    assert seacall.__version__ == PROJECT["version"]


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seacall.nothing


def required() -> set[tuple[str, str]]:
    """Return package and extra of every call of ``require`` in the source."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in {"require", "MissingExtraError"}:
                values = [getattr(a, "value", None) for a in node.args]
                if all(isinstance(value, str) for value in values):
                    found.add(tuple(values))
    return found


def packages_of(extra: str) -> set[str]:
    names = set()
    for line in EXTRAS[extra]:
        if inner := re.fullmatch(r"seacall\[(\w+)\]", line):
            names |= packages_of(inner[1])
        else:
            names.add(re.match(r"[\w-]+", line)[0].lower())
    return names


def test_every_extra_that_an_error_names_exists_and_brings_the_package():
    assert required()
    for package, extra in required():
        assert package.lower() in packages_of(extra), f"{package} is not in [{extra}]"


def test_a_missing_package_names_its_extra():
    with pytest.raises(MissingExtraError, match=r"pip install 'seacall\[train\]'") as e:
        require("no_such_package_at_all", "train")
    assert e.value.package == "no_such_package_at_all"


@pytest.mark.parametrize(
    "path",
    MODULES,
    ids=lambda p: "-".join(p.with_suffix("").parts[-2:]),
)
def test_no_module_has_more_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_package_and_module_says_what_it_is_for():
    for path in MODULES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_no_absolute_path_of_a_machine_is_in_the_source():
    for path in [*MODULES, *sorted(ROOT.glob("*.py"))]:
        assert not re.search(r"/(home|root|Users)/", path.read_text(encoding="utf-8"))
