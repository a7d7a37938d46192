"""Runs the COPY and pip steps of the Dockerfile in a fresh virtual environment (`make docker-steps`).

For machines without a Docker engine: this Python replaces the base image, temporary folders replace the image's.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.deployment.dockerfile import ROOT, Instruction, environment, in_context, instructions

INSTALLED = (
    "import app.cli, importlib.metadata, index.migrations, models.encoder_pair as pair, pathlib;"
    "assert (index.migrations.migrations_folder() / 'versions').is_dir();"
    "page = pathlib.Path(app.cli.__file__).parents[1] / 'web/dist';"
    "assert (page / 'index.html').is_file();"
    "assert any(page.glob('assets/index-*.js')) and not (page.parent / 'src').exists();"
    "pair.EncoderPair.load(device='cpu');"
    "print('installed: showme', importlib.metadata.version('showme'))"
)


def copy(instruction: Instruction, workdir: Path) -> None:
    """Carry out a COPY from the build context into the working directory."""
    *sources, _ = instruction.value.split()
    for source in sources:
        root = ROOT / source
        files = [root] if root.is_file() else [path for name in _top_level() for path in _files(ROOT / name)]
        for path in filter(in_context, files):
            target = workdir / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _top_level() -> list[str]:
    return [path.name for path in ROOT.iterdir() if not path.name.startswith(".")]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [child for child in path.rglob("*") if child.is_file()]


def run(variant: str, folder: Path) -> None:
    """Install in `folder` and check the result. Raises CalledProcessError at the first step that fails."""
    found = instructions()
    arguments = {"VARIANT": variant, "TORCH_INDEX": os.environ.get("TORCH_INDEX", "")}
    venv.create(folder / "venv", with_pip=True)
    binaries = folder / "venv/bin"
    settings = os.environ | environment(found, arguments) | {"SHOWME_DATA_DIR": str(folder / "data")}
    settings.pop("PYTHONPATH", None)  # import the installed package, not the checkout
    settings["PATH"] = f"{binaries}{os.pathsep}{settings['PATH']}"
    workdir = folder / "source"
    workdir.mkdir()
    for instruction in found:
        if instruction.keyword == "COPY":
            print(f"COPY {instruction.value}", flush=True)
            copy(instruction, workdir)
        elif instruction.keyword == "RUN" and "pip install" in instruction.value:
            print(f"RUN {instruction.value}", flush=True)
            subprocess.run(["sh", "-c", instruction.value], cwd=workdir, env=settings, check=True)
    subprocess.run([binaries / "python", "-c", INSTALLED], cwd=folder, env=settings, check=True)
    subprocess.run(
        [binaries / "showme", "--help"], cwd=folder, env=settings, check=True, stdout=subprocess.DEVNULL
    )


def main() -> int:
    """Returns exit status 0 if every step succeeds; removes the environment unless `--keep` is given."""
    parser = argparse.ArgumentParser(prog="python -m tests.deployment.docker_steps", description=__doc__)
    parser.add_argument("variant", nargs="?", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="build in this new folder and leave it there"
    )
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True)
        run(options.variant, options.keep.resolve())
        return 0
    with tempfile.TemporaryDirectory(prefix="showme-docker-") as folder:
        run(options.variant, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
