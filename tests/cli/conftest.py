"""Runs the program in this process, as the command line does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from seacall.cli.main import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that an error may have."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("seacall: ")]
        assert len(errors) == 1, self.err
        assert lines[-1] == errors[0]
        return errors[0]


@pytest.fixture
def seacall(capfd) -> Iterator[Callable[..., Ended]]:
    """Run ``seacall ARGUMENTS``; return exit code, stdout and stderr."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ended(int(ended.value.code or 0), out, err)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
