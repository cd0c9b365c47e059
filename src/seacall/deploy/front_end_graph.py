"""The front end as a network of its own: waveform in, log-mel patches and features out.

The second implementation beside :mod:`seacall.audio`, for graphs that leave the
package. It follows the first one number by number; ``seacall.deploy.verify`` proves it
for each file that is written.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor, nn
from torch.nn import functional

from seacall.audio import features as reference
from seacall.audio.logmel import hz_to_mel, mel_to_hz
from seacall.config import FrontEndSettings, Profile
from seacall.deploy.fourier_graph import PowerSpectra

FloatArray = NDArray[np.float64]

_AMIN = 1e-10
_TOP = 80.0 * np.log(10) / 10
"""librosa's 80 dB below the loudest, as a natural logarithm of power."""
_DB = 10.0 / np.log(10)
_N_FFT, _HOP = reference.N_FFT, reference.HOP_LENGTH
_GROUP = 32


class FrontEnd(nn.Module):
    """Log-mel patches and features of clips.

    Parameters
    ----------
    settings
        The front end; its filter and resampler are not part of this.
    """

    def __init__(self, settings: FrontEndSettings) -> None:
        super().__init__()
        self.log_mel = LogMel(settings)
        self.features = Features(
            sample_rate=settings.profile.sample_rate, length=settings.clip_length
        )

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what the network sees of clips.

        Parameters
        ----------
        y
            Conditioned clips, shape ``(batch, clip_length)``.

        Returns
        -------
        log_mel
            Shape ``(batch, n_patches, n_frames, n_mels)``.
        features
            Raw, shape ``(batch, 18)``.
        """
        return self.log_mel(y), self.features(y)


class LogMel(nn.Module):
    """Log-mel patches; see :func:`seacall.audio.logmel.log_mel`."""

    def __init__(self, settings: FrontEndSettings) -> None:
        super().__init__()
        p = self.profile = settings.profile
        self.n_patches = settings.n_patches
        self.clip_length = settings.clip_length
        self.spectra = PowerSpectra(
            n_fft=p.n_fft,
            win_length=p.win_length,
            hop_length=p.hop_length,
            n_frames=settings.n_patches * p.n_frames,
            dtype=torch.float64 if p.precision == "double" else torch.float32,
        )
        self.bands = _mel_bands(p, self.spectra)

    def forward(self, y: Tensor) -> Tensor:
        """Compute patches, ``(batch, n_patches, n_frames, n_mels)``, of clips."""
        # A last frame may be shorter than its hops: what is missing has no weight.
        missing = max(0, self.spectra.length - self.clip_length)
        y = functional.pad(y, (0, missing))[:, : self.spectra.length]
        spectra = self.spectra(y)
        if self.profile.spectrum == "magnitude":
            spectra = torch.sqrt(spectra)
        mel = torch.matmul(self.bands(spectra.dtype), spectra).float()
        log_mel = torch.log(mel + self.profile.log_offset)
        if self.profile.background == "removed":
            log_mel = log_mel - log_mel.mean(dim=2, keepdim=True)
        patches = log_mel.transpose(1, 2)
        p = self.profile
        return patches.reshape(-1, self.n_patches, p.n_frames, p.n_mels)


class Features(nn.Module):
    """The 18 features; see :func:`seacall.audio.features.features`.

    Parameters
    ----------
    sample_rate
        Hz.
    length
        Samples of a clip.
    """

    weights: Tensor
    cosines: Tensor
    order: Tensor
    until: Tensor

    def __init__(self, *, sample_rate: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.n_frames = 1 + length // _HOP
        self.hz_per_bin = sample_rate / _N_FFT
        self.spectra = PowerSpectra(
            n_fft=_N_FFT, win_length=_N_FFT, hop_length=_HOP, n_frames=self.n_frames
        )
        self.bands = _slaney_bands(sample_rate, self.spectra)
        rows = self.spectra.rows
        weights = np.zeros((3, self.spectra.n_rows))
        weights[:, rows] = _magnitude_weights(sample_rate)
        self.register_buffer("weights", torch.from_numpy(weights).float())
        self.register_buffer("order", torch.from_numpy(rows))
        until = np.tril(np.ones((_GROUP, _GROUP)))
        self.register_buffer("until", torch.from_numpy(until).float())
        cosines = fft.dct(np.eye(reference.N_MELS), type=2, norm="ortho", axis=0)
        cosines = _DB * cosines[: reference.N_MFCC].T
        self.register_buffer("cosines", torch.from_numpy(cosines).float())

    def forward(self, y: Tensor) -> Tensor:
        """Compute the raw features, shape ``(batch, 18)``, of clips."""
        n_padded = self.spectra.length
        behind = n_padded - self.length - _N_FFT // 2
        padded = functional.pad(y, (_N_FFT // 2, max(0, behind)))[:, :n_padded]
        power = self.spectra(padded)
        centroid, rolloff, ratio = self._spectral(torch.sqrt(power))
        mfcc = self._mfcc(torch.matmul(self.bands(power.dtype), power))
        first = [centroid, self._rms(padded), self._crossings(y), rolloff, ratio]
        return torch.cat([torch.stack(first, dim=1), mfcc], dim=1)

    def _spectral(self, magnitude: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sums = torch.matmul(self.weights, magnitude)
        total, in_band, moment = sums[:, 0], sums[:, 1], sums[:, 2]
        # Nothing over nothing is 0: in silence the moment is 0 too.
        some = torch.where(total > 0, total, torch.ones_like(total))
        centroid = (moment / some).mean(dim=1)
        everything = total.sum(dim=1)
        everything = torch.where(
            everything > 0, everything, torch.ones_like(everything)
        )
        bins = self._rolloff_bins(magnitude)
        return centroid, bins * self.hz_per_bin, in_band.sum(dim=1) / everything

    def _rolloff_bins(self, magnitude: Tensor) -> Tensor:
        """Return the mean over frames of the bin at which 85 % are reached.

        Running sums within groups of 32 bins, then over the groups: as triangular
        matrix products, which take less time than one sum from bin to bin.
        """
        n_groups = _N_FFT // 2 // _GROUP
        bins = torch.index_select(magnitude, 1, self.order)
        groups = bins[:, :-1].reshape(-1, n_groups, _GROUP, self.n_frames)
        within = torch.matmul(self.until, groups)
        sums = within[:, :, -1]
        until = torch.matmul(self.until[:n_groups, :n_groups], sums)
        threshold = reference.ROLLOFF_SHARE * (until[:, -1] + bins[:, -1])
        before = threshold[:, None] - (until - sums)
        below = (within < before[:, :, None]).float()
        return below.sum(dim=(1, 2)).mean(dim=1)

    def _mfcc(self, mel: Tensor) -> Tensor:
        log_power = torch.log(torch.clamp_min(mel, _AMIN))
        loudest = torch.amax(log_power, dim=(1, 2), keepdim=True)
        mean = torch.maximum(log_power, loudest - _TOP).mean(dim=2)
        return torch.matmul(mean, self.cosines)

    def _rms(self, padded: Tensor) -> Tensor:
        hops = padded.reshape(-1, self.n_frames + 3, _HOP)
        energy = self._frame_sums((hops * hops).sum(dim=2))
        return torch.sqrt(energy / _N_FFT).mean(dim=1)

    def _crossings(self, y: Tensor) -> Tensor:
        negative = (y < -1e-10).float()
        changes = torch.abs(negative[:, 1:] - negative[:, :-1])
        lead = _N_FFT // 2 + 1
        behind = self.spectra.length - lead - self.length + 1
        changes = functional.pad(changes, (lead, max(0, behind)))
        changes = changes[:, : self.spectra.length]
        hops = changes.reshape(-1, self.n_frames + 3, _HOP)
        # A frame's own first sample has no predecessor in the frame.
        counts = self._frame_sums(hops.sum(dim=2)) - hops[:, : self.n_frames, 0]
        return counts.mean(dim=1) / _N_FFT

    def _frame_sums(self, per_hop: Tensor) -> Tensor:
        """Add sums over hops up to sums over frames, ``(batch, n_frames)``."""
        n = self.n_frames
        first, second = per_hop[:, :n], per_hop[:, 1 : n + 1]
        return first + second + per_hop[:, 2 : n + 2] + per_hop[:, 3 : n + 3]


class Bands(nn.Module):
    """Triangular bands, made from their edges: a matrix of them is nearly empty.

    Parameters
    ----------
    bins
        Place of each row of the spectrum on the scale of the edges, ``(n_rows,)``.
    edges
        Shape ``(n_bands + 2,)``.
    gains
        Height of each band, shape ``(n_bands,)``.
    counts
        1 for rows that count, 0 for those that are there twice, ``(n_rows,)``.
    """

    bins: Tensor
    low: Tensor
    rise: Tensor
    high: Tensor
    fall: Tensor
    gains: Tensor
    counts: Tensor

    def __init__(
        self, bins: FloatArray, edges: FloatArray, gains: FloatArray, counts: FloatArray
    ) -> None:
        super().__init__()
        low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        for name, values in {
            "bins": bins,
            "low": low,
            "rise": centre - low,
            "high": high,
            "fall": high - centre,
            "gains": gains[:, None],
            "counts": counts,
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)))

    def forward(self, dtype: torch.dtype) -> Tensor:
        """Return the weights, shape ``(n_bands, n_rows)``."""
        rising = (self.bins - self.low) / self.rise
        falling = (self.high - self.bins) / self.fall
        weights = torch.clamp_min(torch.minimum(rising, falling), 0.0)
        # Rounded as the first implementation's matrix is, whatever the transform's.
        return (weights * self.gains * self.counts).float().to(dtype)


def _mel_bands(p: Profile, spectra: PowerSpectra) -> Bands:
    mel = np.linspace(hz_to_mel(p.fmin), hz_to_mel(p.fmax), p.n_mels + 2)
    hz = np.arange(1 + p.n_fft // 2) * p.sample_rate / p.n_fft
    in_mel = p.mel_triangles == "mel"
    bins, edges = (hz_to_mel(hz), mel) if in_mel else (hz, mel_to_hz(mel))
    counts = np.ones(len(hz))
    counts[0] = 0.0 if in_mel else 1.0  # AudioSet's front end drops the offset
    return _placed(bins, edges, np.ones(p.n_mels), counts, spectra)


def _slaney_bands(sample_rate: int, spectra: PowerSpectra) -> Bands:
    edges = reference.slaney_edges_hz(sample_rate)
    hz = np.arange(1 + _N_FFT // 2) * sample_rate / _N_FFT
    return _placed(hz, edges, 2.0 / (edges[2:] - edges[:-2]), np.ones(len(hz)), spectra)


def _placed(
    bins: FloatArray,
    edges: FloatArray,
    gains: FloatArray,
    counts: FloatArray,
    spectra: PowerSpectra,
) -> Bands:
    """Lay bands out over the rows of computed spectra."""
    at_rows, counted = np.zeros(spectra.n_rows), np.zeros(spectra.n_rows)
    at_rows[spectra.rows], counted[spectra.rows] = bins, counts
    return Bands(at_rows, edges, gains, counted)


def _magnitude_weights(sample_rate: int) -> FloatArray:
    """Return what sums a spectrum: all, in band, times Hz; ``(3, n_bins)``."""
    hz = np.arange(1 + _N_FFT // 2) * sample_rate / _N_FFT
    low_hz, high_hz = reference.feature_band(sample_rate)
    return np.stack([np.ones_like(hz), (hz >= low_hz) & (hz <= high_hz), hz])
