"""Short-time power spectra as two matrix products, for graphs without a fast transform.

A transform of N = N1 N2 samples, with n = N2 n1 + n2 and k = k1 + N1 k2, is (Cooley and
Tukey 1965)::

    X[k] = sum_n2 e^(-2 pi i n2 k2 / N2) [ sum_n1 x[n] w[n] e^(-2 pi i n k1 / N) ]

The inner sum has the window and all that turns with k1 in it, so that it is one matrix
product for each n2; the outer one is the same small matrix for each k1. A waveform is
real, so that |X[N - k]| = |X[k]| and half of the k1 are enough. For N = 2048 this takes
a sixteenth of the multiplications of a convolution with sines and cosines.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.audio.logmel import periodic_hann


class PowerSpectra(nn.Module):
    """From waveforms to power spectra, frame after frame.

    The bins come out in the order in which they are computed, some of them twice;
    :attr:`rows` says where each is found.

    Parameters
    ----------
    n_fft, win_length, hop_length
        As in a profile, samples; frames are padded with zeros at their end.
    n_frames
        Frames of a waveform.
    dtype
        Precision to compute in.
    """

    window: Tensor
    coarse_cos: Tensor
    coarse_sin: Tensor
    fine_cos: Tensor
    fine_sin: Tensor
    outer: Tensor

    def __init__(
        self,
        *,
        n_fft: int,
        win_length: int,
        hop_length: int,
        n_frames: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.hop_length, self.n_frames = hop_length, n_frames
        self.n_hops = -(-win_length // hop_length)
        self.length = (n_frames + self.n_hops - 1) * hop_length
        self.n1, self.n2 = _factors(n_fft, win_length, hop_length)
        self.n_k1 = self.n1 // 2 + 1
        self.n_inner = -(-win_length // self.n2)
        self.dtype = dtype
        window = np.zeros(self.n_inner * self.n2)
        window[:win_length] = periodic_hann(win_length)
        self._keep("window", window.reshape(self.n_inner, self.n2).T[:, None])
        # e^(-2 pi i n k1 / N) as a product of two small tables, n = N2 n1 + n2.
        k1 = np.arange(self.n_k1)[:, None]
        self._keep_turns("coarse", k1 * np.arange(self.n_inner) / self.n1)
        fine = k1 * np.arange(self.n2) / n_fft
        self._keep_turns("fine", fine.T[:, :, None])
        k2 = np.outer(np.arange(self.n2), np.arange(self.n2)) / self.n2
        cos, sin = np.cos(2 * np.pi * k2), np.sin(2 * np.pi * k2)
        outer = torch.from_numpy(np.block([[cos, sin], [-sin, cos]]))
        self.register_buffer("outer", outer.to(dtype))
        self.rows = _rows(n_fft, self.n1, self.n2)

    @property
    def n_rows(self) -> int:
        """Rows of a spectrum; at least as many as there are bins."""
        return self.n_k1 * self.n2

    def forward(self, y: Tensor) -> Tensor:
        """Transform waveforms.

        Parameters
        ----------
        y
            Shape ``(batch, length)``.

        Returns
        -------
        power
            Squared magnitudes, shape ``(batch, n_rows, n_frames)``.
        """
        inner = torch.matmul(self._inner(), self._frames(y).to(self.dtype))
        parts = inner.reshape(-1, self.n2, 2, self.n_k1, self.n_frames)
        parts = parts.permute(0, 3, 2, 1, 4)
        parts = parts.reshape(-1, self.n_k1, 2 * self.n2, self.n_frames)
        spectra = torch.matmul(self.outer, parts)
        real, imaginary = spectra[:, :, : self.n2], spectra[:, :, self.n2 :]
        power = real * real + imaginary * imaginary
        return power.reshape(-1, self.n_rows, self.n_frames)

    def _frames(self, y: Tensor) -> Tensor:
        """Cut frames, shape ``(batch, n2, n_inner, n_frames)``."""
        n_short = self.hop_length // self.n2
        n = self.n_frames + self.n_hops - 1
        # First a plain transposition, then whole rows: faster than both at once.
        hops = y.reshape(-1, n, self.hop_length).transpose(1, 2)
        hops = hops.reshape(-1, n_short, self.n2, n).transpose(1, 2)
        parts = []
        for hop in range(self.n_hops):
            n_used = min(n_short, self.n_inner - hop * n_short)
            parts.append(hops[:, :, :n_used, hop : hop + self.n_frames])
        return torch.cat(parts, dim=2)

    def _inner(self) -> Tensor:
        """Return window times turns, shape ``(n2, 2 n_k1, n_inner)``.

        Put together here and not kept: the file is smaller by half a megabyte, and
        runtimes do it once, as they load it.
        """
        c1, s1 = self.coarse_cos, self.coarse_sin
        c2, s2 = self.fine_cos, self.fine_sin
        turned = torch.cat([c2 * c1 - s2 * s1, -(s2 * c1) - c2 * s1], dim=1)
        return (turned * self.window).to(self.dtype)

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)))

    def _keep_turns(self, name: str, turns: NDArray[np.float64]) -> None:
        self._keep(f"{name}_cos", np.cos(2 * np.pi * turns))
        self._keep(f"{name}_sin", np.sin(2 * np.pi * turns))


def _factors(n_fft: int, win_length: int, hop_length: int) -> tuple[int, int]:
    """Choose N1 and N2 so that the products are fewest; N2 divides the hop too."""

    def products(n2: int) -> int:
        n_k1 = n_fft // n2 // 2 + 1
        return 2 * n_k1 * -(-win_length // n2) * n2 + n_k1 * (2 * n2) ** 2

    both = np.gcd(n_fft, hop_length)
    n2 = min((n for n in range(1, both + 1) if both % n == 0), key=products)
    return n_fft // n2, n2


def _rows(n_fft: int, n1: int, n2: int) -> NDArray[np.int64]:
    """Return the row of each bin 0 to N/2, shape ``(1 + n_fft // 2,)``."""
    k = np.arange(1 + n_fft // 2)
    k = np.where(k % n1 <= n1 // 2, k, n_fft - k)
    rows: NDArray[np.int64] = (k % n1) * n2 + k // n1
    return rows
