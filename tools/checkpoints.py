"""Train the six models that ship with the package and write their cards: `make checkpoints`.

Runs that were interrupted go on where they were; finished ones are only measured again. The settings below are those of the cards.
"""
import shutil
from pathlib import Path

from vae_circuits.training import PAPER_MODELS, TrainConfig, train, write_card

EPOCHS = {("dsprites", "vae"): 1.25, ("dsprites", "beta_vae"): 1.0, ("dsprites", "factor_vae"): 0.9,
          ("synthetic", "vae"): 8, ("synthetic", "beta_vae"): 8, ("synthetic", "factor_vae"): 6}


def main():
    root = Path(__file__).resolve().parent.parent
    for (dataset, model), epochs in EPOCHS.items():
        run = root/"runs"/f"{model}_{dataset}"
        train(TrainConfig(model=model, dataset=dataset, epochs=epochs, precision="bfloat16"), run, resume=(run/"config.json").is_file())
        shipped = root/"vae_circuits"/"checkpoints"/f"{model}_{dataset}.safetensors"
        shutil.copyfile(run/"model.safetensors", shipped)
        write_card(shipped)


if __name__ == "__main__":
    main()
