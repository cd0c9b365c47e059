"""All formats: streamed, whole or not there, and faults in one line."""

from __future__ import annotations

import errno
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from found import detected, given, searched

from seacall.detect.outputs import FORMATS, write_outputs
from seacall.detect.outputs.target import shared_folder
from seacall.errors import SettingsError

ALL = tuple(FORMATS)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def some():
    a, b = searched("/data/x/a.wav"), searched("/data/y/a.wav")
    bad = searched("/data/y/bad.wav", opened=False)
    return [(a, [detected(a), detected(a, 20, 25)]), (bad, []), (b, [])]


def test_every_path_that_is_returned_exists_and_no_other_was_made(tmp_path):
    written = write_outputs(tmp_path, given(some()), formats=ALL)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    assert all(path.exists() for path in written)
    assert written[0].name == "detections.csv"


def test_the_same_detections_give_the_same_files(tmp_path):
    write_outputs(tmp_path / "a", given(some()), formats=ALL)
    backwards = [(one, rows[::-1]) for one, rows in some()]
    write_outputs(tmp_path / "b", given(backwards), formats=ALL)
    one, other = files(tmp_path / "a"), files(tmp_path / "b")
    assert one.keys() == other.keys()
    assert all(one[name] == other[name] for name in one)


def test_formats_are_chosen_by_name(tmp_path):
    written = write_outputs(tmp_path, given(some()), formats=["json", "json"])
    assert [path.name for path in written] == ["detections.json"]
    assert list(files(tmp_path)) == ["detections.json"]
    with pytest.raises(SettingsError, match=r"format 'xml' .*choose from csv, raven"):
        write_outputs(tmp_path, given(some()), formats=["xml"])


def test_what_fails_on_the_way_leaves_earlier_files_as_they_were(tmp_path):
    write_outputs(tmp_path, given(some()), formats=ALL)
    before = files(tmp_path)

    def failing():
        # Of a recording that an earlier run wrote too: its own files may be new.
        yield searched("/data/x/a.wav"), some()[0][1]
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_outputs(tmp_path, failing, formats=ALL, folder=Path("/data"))
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ALL)
def test_a_folder_that_is_read_only_is_told_in_one_line(name):
    # Not even root may write here.
    with pytest.raises(SettingsError, match=r"^/proc/out: cannot be written") as told:
        write_outputs(Path("/proc/out"), given(some()), formats=[name])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ALL)
def test_a_file_in_the_way_of_the_folder_is_told_in_one_line(tmp_path, name):
    out = tmp_path / "out"
    out.write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be written") as told:
        write_outputs(out, given(some()), formats=[name])
    assert "\n" not in str(told.value)
    assert out.read_text() == "in the way"


def test_a_file_in_the_way_of_one_table_is_told_in_one_line(tmp_path):
    (tmp_path / "selections").write_text("in the way")
    with pytest.raises(SettingsError, match=r"cannot be written \(File exists\)"):
        write_outputs(tmp_path, given(some()), formats=["raven"])


def test_a_full_disk_is_told_in_one_line_and_leaves_no_part(tmp_path):
    # The limit on the size of files stands for the disk: the system refuses to write.
    program = f"""
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from found import detected, given, searched
from seacall.detect.outputs import FORMATS, write_outputs
from seacall.errors import SettingsError
import matplotlib.font_manager, pyarrow.parquet
one = searched()
rows = [detected(one, n / 100, n / 100 + 1, label=f"L{{n}}") for n in range(3_000)]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
for name in FORMATS:
    try:
        write_outputs(Path({str(tmp_path)!r}), given([(one, rows)]), formats=[name])
    except SettingsError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == len(ALL)
    assert all(line.startswith(f"{tmp_path}: cannot be written (") for line in lines)
    assert files(tmp_path) == {}


def test_an_error_of_what_is_read_is_not_blamed_on_the_output(tmp_path):
    def unplugged():
        raise OSError(errno.EIO, "Input/output error", "/mnt/drive/ledger.sqlite")
        yield

    with pytest.raises(OSError, match="ledger") as told:
        write_outputs(tmp_path, unplugged, formats=["csv"])
    assert not isinstance(told.value, SettingsError)


def test_memory_does_not_grow_with_the_number_of_detections(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    def results(n: int):
        for k in range(n):
            one = searched(f"/data/{k % 7}/{k}.wav", duration_s=600)
            yield one, [detected(one, t, t + 3.0) for t in range(0, 600, 20)]

    def peak(n: int) -> int:
        tracemalloc.start()
        write_outputs(
            tmp_path, lambda: results(n), formats=formats, folder=Path("/data")
        )
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    formats = [name for name in ALL if name != "parquet"]  # Arrow's is not counted
    peak(1)
    few, many = peak(10), peak(80)  # 2,100 detections more
    assert many < few + 100_000


def test_results_are_read_once_where_the_folder_is_given(tmp_path):
    calls = []

    def results():
        calls.append(1)
        return iter(some())

    write_outputs(tmp_path, results, formats=ALL, folder=Path("/data"))
    assert len(calls) == 1


def test_the_shared_folder_is_the_innermost_that_holds_all():
    paths = [Path("/data/x/a.wav"), Path("/data/x/sub/b.wav"), Path("/data/xy/c.wav")]
    assert shared_folder(paths) == ("data",)
    assert shared_folder(paths[:1]) == ("data", "x")
    assert shared_folder([]) is None


def test_importing_the_formats_loads_no_heavy_package():
    statement = (
        "import sys, seacall.detect.outputs\n"
        "print({'pandas', 'pyarrow', 'matplotlib', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
