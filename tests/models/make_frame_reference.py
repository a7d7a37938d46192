"""Write frame_reference.npz: librosa's constant-Q transform and basic-pitch's published output for a phrase of tones.

In an environment with librosa 0.11.0, onnxruntime 1.32.0 and basic-pitch 0.4.0 (`pip install --no-deps`), from the checkout:

    python tests/models/make_frame_reference.py …/basic_pitch/saved_models/icassp_2022/nmp.onnx

Every eighth frame of both is kept.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REFERENCE = Path(__file__).with_name("frame_reference.npz")
SECONDS = 3.0
KEPT = slice(None, None, 8)
PITCH_SAMPLES = 43_844
PARTIALS = tuple((27.5 * 2 ** (key / 12), key) for key in range(0, 88, 5))  # Hz, phase
STROKE_SECONDS, NOISE = 0.75, 1e-3


def phrase(sample_rate: int) -> NDArray[np.float32]:
    """Tones from A0 to B7, struck together every 0.75 s and dying away, over faint noise: `[samples]`."""
    time = np.arange(round(SECONDS * sample_rate)) / sample_rate
    tones = sum(np.sin(2 * np.pi * hertz * time + phase) for hertz, phase in PARTIALS)
    samples = tones * np.exp(-2 * (time % STROKE_SECONDS)) / len(PARTIALS)
    noise = NOISE * np.sin(1e4 * np.sin(1e4 * time))  # the same at every rate where times coincide
    return (samples + noise).astype(np.float32)


def main(graph: str) -> None:
    import librosa
    import onnxruntime

    transform = librosa.cqt(
        phrase(44_100), sr=44_100, hop_length=512, fmin=27.5, n_bins=88, bins_per_octave=12
    )
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    window = phrase(22_050)[None, :PITCH_SAMPLES, None]
    names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
    note, onset = session.run(names, {session.get_inputs()[0].name: window})
    magnitude = np.abs(transform).astype(np.float32)[:, KEPT]
    np.savez_compressed(REFERENCE, magnitude=magnitude, note=note[0, KEPT], onset=onset[0, KEPT])


if __name__ == "__main__":
    main(sys.argv[1])
