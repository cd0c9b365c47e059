"""Kinds of export, by name."""

from __future__ import annotations

import pytest

from seacall.deploy.exported import ExportSettings
from seacall.deploy.kinds import KINDS
from seacall.errors import SeacallError


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_there_and_refuses_what_is_no_model(kind, tmp_path):
    with pytest.raises(SeacallError):
        KINDS[kind](tmp_path / "none", tmp_path / "out", ExportSettings())
