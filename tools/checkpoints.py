"""Put the longer runs of the reference study into the package and write their cards: `make checkpoints`.

Runs in runs/study are used, gone on with, or begun. One longer run of each model is in the study, of seed 0: there is nothing to choose from.
"""
import shutil
from pathlib import Path

from vae_circuits.sweep import SHIPPED, STUDIES
from vae_circuits.training import trained, write_card

ROOT = Path(__file__).resolve().parent.parent


def main():
    for run in [run for grid in SHIPPED for run in grid.runs(**STUDIES["study"].training)]:
        folder = ROOT/"runs"/"study"/"runs"/run.name/"training"
        trained(run.config, folder)
        shipped = ROOT/"vae_circuits"/"checkpoints"/f"{run.config.model}_{run.config.dataset}.safetensors"
        shutil.copyfile(folder/"model.safetensors", shipped)
        write_card(shipped)


if __name__ == "__main__":
    main()
