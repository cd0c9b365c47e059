import numpy as np
import openpyxl
import pandas as pd
from scored import history, one_hot, predictions

from seacall.learn.tables import write_curves, write_misclassified

COLUMNS = [
    "file_name",
    "true_species",
    "predicted_species",
    "confidence",
    "second_species",
    "second_confidence",
    "deployment",
    "sample_rate",
]


def test_the_misclassified_recordings_are_written_most_confident_first(tmp_path):
    path = tmp_path / "student_with_attention_misclassified_samples.xlsx"
    write_misclassified(predictions(), path)
    table = pd.read_excel(path)
    assert table.columns.tolist() == COLUMNS
    assert table.iloc[0].tolist() == [
        "e.wav", "Narwhal", "Beluga", 0.85, "Narwhal", 0.15, "west", 16000
    ]  # fmt: skip
    assert table["confidence"].tolist() == [0.85, 0.5]


def test_the_header_stays_in_sight_and_columns_are_wide_enough(tmp_path):
    write_misclassified(predictions(), tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert sheet.freeze_panes == "A2"
    assert sheet["A1"].font.bold
    for column, name in zip("ABCDEFGH", COLUMNS, strict=True):
        assert sheet.column_dimensions[column].width > len(name)


def test_without_a_mistake_the_table_has_its_header_and_no_row(tmp_path):
    right = predictions(scores=one_hot([0, 0, 0, 1, 1, 2], 3))
    write_misclassified(right, tmp_path / "t.xlsx")
    table = pd.read_excel(tmp_path / "t.xlsx")
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 0


def test_names_are_never_formulas_and_never_break_the_file(tmp_path):
    names = ("=1+1.wav", "@SUM(A1)", "\x00\x1b.wav", "\udcff.wav", "+2", "é/ж.wav")
    wrong = predictions(scores=one_hot([1, 1, 1, 0, 0, 0], 3), file_names=names)
    write_misclassified(wrong, tmp_path / "t.xlsx")
    cells = list(openpyxl.load_workbook(tmp_path / "t.xlsx").active["A"])[1:]
    assert {cell.data_type for cell in cells} == {"s"}
    found = {cell.value for cell in cells}
    assert found >= {"=1+1.wav", "@SUM(A1)", "+2", "é/ж.wav", "\ufffd\ufffd.wav"}


def test_deployments_that_look_like_numbers_stay_text(tmp_path):
    p = predictions(deployments=("007",) * 6)
    write_misclassified(p, tmp_path / "t.xlsx")
    table = pd.read_excel(tmp_path / "t.xlsx", dtype={"deployment": str})
    assert table["deployment"].tolist() == ["007", "007"]


def test_the_curves_read_back(tmp_path):
    path = tmp_path / "train_vs_val_student_with_attention.xlsx"
    write_curves(history(), path)
    pd.testing.assert_frame_equal(
        pd.read_excel(path), pd.DataFrame(history()), check_dtype=False
    )


def test_missing_values_are_empty_cells_and_further_columns_come_last(tmp_path):
    rows = [
        {"epoch": 1, "train_loss": np.float32(0.5), "val_loss": float("nan")},
        {"epoch": np.int64(2), "teacher_loss": float("inf")},
    ]
    write_curves(rows, tmp_path / "t.xlsx")
    table = pd.read_excel(tmp_path / "t.xlsx")
    assert table.columns[-1] == "teacher_loss"
    assert table["epoch"].tolist() == [1, 2]
    assert table["train_loss"][0] == 0.5
    assert table[["val_loss", "teacher_loss"]].isna().all(axis=None)


def test_a_run_without_an_epoch_is_a_table_without_a_row(tmp_path):
    write_curves([], tmp_path / "t.xlsx")
    assert len(pd.read_excel(tmp_path / "t.xlsx")) == 0
