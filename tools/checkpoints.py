"""Put the longer runs of the reference study into the package and write their cards: `make checkpoints`.

Runs in runs/study are used, gone on with, or begun. One longer run of each model is in the study, of seed 0: there is nothing to choose from.

    python tools/checkpoints.py renew

writes the shipped files anew in the present format, with the checksum that those of the first format lack; weights and cards stay as they are.
"""
import shutil
import sys
from pathlib import Path

from vae_circuits.sweep import SHIPPED, STUDIES
from vae_circuits.training import FORMAT, _read_tensors, _write_tensors, trained, write_card

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT/"vae_circuits"/"checkpoints"


def make():
    for run in [run for grid in SHIPPED for run in grid.runs(**STUDIES["study"].training)]:
        folder = ROOT/"runs"/"study"/"runs"/run.name/"training"
        trained(run.config, folder)
        shipped = CHECKPOINTS/f"{run.config.model}_{run.config.dataset}.safetensors"
        shutil.copyfile(folder/"model.safetensors", shipped)
        write_card(shipped)


def renew():
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        before, tensors, header = weights(path), *_read_tensors(path, FORMAT)
        _write_tensors(path, tensors, {"format": FORMAT, "card": header["card"]})
        if weights(path) != before: sys.exit(f"{path.name} has other weights than before")


def weights(path: Path) -> bytes:
    "All of a safetensors file but its header."
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


if __name__ == "__main__":
    renew() if sys.argv[1:] == ["renew"] else make()
