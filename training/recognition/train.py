"""`showme train`: trains a recogniser, which the first argument names; the other arguments are its own.

The encoders are trained by `training/train_single.py` and `training/train_multi.py`, all stages of the shipped ones by
`training/weights.py`.
"""

import sys

from models.errors import TrainingError
from training.commands import Command, cli_errors
from training.recognition import train_attention, train_frame_level, train_solo

RECOGNISERS: dict[str, Command] = {
    "solo": train_solo.main,
    "attention": train_attention.main,
    "frame-level": train_frame_level.main,
}


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    known = " | ".join(RECOGNISERS)
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: showme train {known} [--help] …")
        return 0
    if argv[0] not in RECOGNISERS:
        message = f"there is no recogniser {argv[0]}; known are {known}"
        raise TrainingError(message, value=argv[0], limit=known)
    return RECOGNISERS[argv[0]](argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
