"""Where a network is trained, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from seacall.errors import SeacallError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` takes a GPU if there is one.

    Raises
    ------
    SeacallError
        If there is no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()  # fails where nothing can be computed
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise SeacallError(
            f"device {name!r} cannot be used ({reason}); choose cpu or auto"
        ) from error
    return device


class Precision:
    """Half precision where the device computes faster in it, else single precision.

    bfloat16 on GPUs and processors that have it, float16 with scaled gradients on
    older GPUs.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        self._device_type = device.type
        self.dtype = _half_type(device) if enabled else None
        self.scaler = torch.amp.GradScaler(
            device.type, enabled=self.dtype is torch.float16
        )

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context for the forward pass."""
        return torch.autocast(
            self._device_type, dtype=self.dtype, enabled=self.dtype is not None
        )


def _half_type(device: torch.device) -> torch.dtype | None:
    if device.type == "cuda":
        bfloat = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if bfloat else torch.float16
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None
