"""Sound from a sound card, by PortAudio (sounddevice)."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from threading import Event
from typing import Any

from seacall.errors import AudioError, MissingExtraError, require
from seacall.live.pcm import PcmForm
from seacall.live.source import (
    BLOCK_S,
    Block,
    End,
    Float32,
    Heard,
    Start,
    Trouble,
    begun_before,
    reconnecting,
)

_WAITING = 512
"""Blocks that wait at most, half a minute's worth."""
_STALL_S = 10.0


class Card:
    """An input of a sound card; opened again when it fails, as unplugged ones do.

    Parameters
    ----------
    device
        Part of its name, or its number; empty: the system's default.
    form
        Rate and channels; the format is float.
    first_wait_s
        Before the first new attempt, s; then doubled.
    """

    running = True

    def __init__(
        self, device: str, form: PcmForm, *, first_wait_s: float = 1.0
    ) -> None:
        self.name = f"card:{device}"
        self._device = int(device) if device.isdecimal() else device or None
        self._form = form
        self._first_wait_s = first_wait_s

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield a segment for each time that it is opened, and behind each overrun.

        Raises
        ------
        MissingExtraError, AudioError
            If sounddevice, or PortAudio itself, is not installed.
        """
        sound = _sounddevice()
        return reconnecting(
            lambda: self._opened(sound, stop), stop, first_wait_s=self._first_wait_s
        )

    def _opened(self, sound: Any, stop: Event) -> Iterator[Heard]:
        waiting: queue.Queue[tuple[Float32, bool]] = queue.Queue(_WAITING)
        n_dropped = 0

        def take(y: Float32, _frames: int, _time: Any, status: Any) -> None:
            nonlocal n_dropped
            try:
                waiting.put_nowait((y.copy(), bool(status.input_overflow or n_dropped)))
                n_dropped = 0
            except queue.Full:
                n_dropped += len(y)

        form = self._form
        try:
            with sound.InputStream(
                samplerate=form.sample_rate,
                channels=form.n_channels,
                device=self._device,
                dtype="float32",
                blocksize=round(BLOCK_S * form.sample_rate),
                callback=take,
            ):
                yield from self._segments(waiting, stop)
        except (sound.PortAudioError, ValueError) as error:
            raise AudioError(f"{self.name}: {error}") from error

    def _segments(
        self, waiting: queue.Queue[tuple[Float32, bool]], stop: Event
    ) -> Iterator[Heard]:
        rate, position, idle_s = self._form.sample_rate, -1, 0.0
        while not stop.is_set():
            try:
                y, overrun = waiting.get(timeout=0.2)
            except queue.Empty:
                idle_s += 0.2
                if idle_s > _STALL_S:
                    raise OSError(f"no sound for {_STALL_S:g} s") from None
                continue
            idle_s = 0.0
            if overrun and position >= 0:
                yield Trouble("overrun", "the sound card lost samples")
                yield End("overrun")
                position = -1
            if position < 0:
                start = begun_before(len(y), rate)
                yield Start(rate, y.shape[1], start, "sound card")
                position = 0
            yield Block(y, position)
            position += len(y)


def _sounddevice() -> Any:
    try:
        return require("sounddevice", "live")
    except MissingExtraError:
        raise
    except OSError as error:  # the package is there, the library is not
        raise AudioError(
            f"PortAudio is missing ({error}); install it, on Debian with: "
            "apt install libportaudio2"
        ) from error
