"""Every error that a caller may want to catch.

* SeacallError

  - AudioError: a recording cannot be read, or cannot be used
  - AnnotationError: a table of labels is wrong
  - CheckpointError: a model folder or weight file is wrong
  - SettingsError: a setting, or a file of settings, is wrong
  - MissingExtraError: an optional dependency is not installed

Each message holds the value that was met, the rule that it breaks, and the way out.
A mistake in the calling code is a plain ``ValueError`` or ``TypeError``.
"""

from __future__ import annotations

import importlib
from types import ModuleType


class SeacallError(Exception):
    """Base of all errors that seacall raises about its inputs."""


class AudioError(SeacallError):
    """A recording cannot be read, or holds nothing that can be used."""


class AnnotationError(SeacallError):
    """A table of labels is missing, unreadable or inconsistent."""


class CheckpointError(SeacallError):
    """A model folder or weight file is missing, damaged, unsafe or does not fit."""


class SettingsError(SeacallError):
    """A setting is outside its range, or a settings file cannot be read."""


class MissingExtraError(SeacallError):
    """An optional dependency is needed and not installed.

    Parameters
    ----------
    package
        Name of the package that was not found.
    extra
        Name of seacall's extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed and this needs it; "
            f"install it with: pip install 'seacall[{extra}]'"
        )
        self.package = package
        self.extra = extra


def require(package: str, extra: str) -> ModuleType:
    """Import an optional dependency where it is used.

    Parameters
    ----------
    package
        Name of the package.
    extra
        Name of seacall's extra that brings it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(package, extra) from error
