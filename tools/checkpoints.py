"""Put the trained models of the reference study into the package and write their cards: `make
checkpoints`.

Of the seeds of each model and dataset the one in the middle ships, by reconstruction + KL; a
collapsed one is passed over. Runs in runs/study are used, gone on with, or begun.

    python tools/checkpoints.py renew     the shipped files anew in the present format; weights and
    cards stay as they are python tools/checkpoints.py cards     the cards and their pictures anew,
    from the shipped files and the study's table"""
import sys
from pathlib import Path

import pandas as pd
from fleet import middle, nats
from matplotlib.figure import Figure

from vae_circuits.archives import world
from vae_circuits.runs import load_study
from vae_circuits.paper_results import NAMES
from vae_circuits.studies import STUDIES, TRAINED
from vae_circuits.checkpoints import (
    FORMAT, read_tensors, write_tensors, load_checkpoint, save_checkpoint)
from vae_circuits.shipped import write_card
from vae_circuits.training import trained

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT/"vae_circuits"/"checkpoints"
SITES = (
    "encoder_conv_0",
    "encoder_conv_1",
    "encoder_conv_2",
    "decoder_linear",
    "decoder_conv_0",
    "decoder_conv_1",
)
PUBLIC = 0.10, 0.18  # mutual information gap of public checkpoints, measured in the same way
LENGTHS = "untrained", "brief", "short", "default"


def make():
    runs = [run for grid in TRAINED for run in grid.runs(**STUDIES["study"].training)]
    for model, dataset in dict.fromkeys((r.config.model, r.config.dataset) for r in runs):
        found = {
            r.name: trained(r.config, ROOT / "runs" / "study" / "runs" / r.name / "training")
            for r in runs
            if (r.config.model, r.config.dataset) == (model, dataset)
        }
        name, words = choice({n: v.card for n, v in found.items()})
        vae = found[name]
        shipped = CHECKPOINTS/f"{model}_{dataset}.safetensors"
        card = {k: v for k, v in vae.card.items() if k != "architecture"}
        chosen = f"{words} {gap(vae.card['config'])} {silent(vae, dataset)}"
        save_checkpoint(shipped, vae, card | {"chosen": chosen})
        print(shipped.name, words)
    cards()


def choice(found: dict) -> tuple:
    """The name of the model in the middle of those that did not collapse, and a sentence about the
    choice."""
    alive = {name: card for name, card in found.items() if card["evaluation"]["active"]}
    order, name = middle(alive)
    return (
        name,
        (
            f"Of {len(found)} seeds it is the one in the middle by reconstruction above the floor +"
            f" KL ({nats(alive[order[0]]):.1f} to {nats(alive[order[-1]]):.1f} nats);"
            f" {len(found) - len(alive) or 'none'} collapsed."
        ),
    )


def gap(config: dict) -> str:
    "A sentence about how well its latents separate the factors, beside its other seeds."
    study = load_study().query("place == 'all' and number == 'mig' and setting == 'default'")
    values = (
        study[(study.model == config["model"]) & (study.dataset == config["dataset"])]
        .set_index("seed")
        .value
    )
    public = f"; public models of such objectives have {PUBLIC[0]} to {PUBLIC[1]}" * (
        config["dataset"] == "dsprites"
    )
    return (
        f"Its mutual information gap is {values[config['seed']]:.3f}, that of all its seeds"
        f" {values.min():.3f} to {values.max():.3f}{public}."
    )


def silent(vae, dataset: str) -> str:
    """A sentence about channels that no image turns on: trainings at this rate lose many in their
    first steps."""
    run = vae.run(world(dataset).sample(2048, seed=0).images, record=SITES)
    dead = {s: (int((run[s].amax((0, 2, 3)) <= 0).sum()), run[s].shape[1]) for s in SITES}
    return (
        "Channels that none of 2,048 images turns on:"
        f" {', '.join(f'{n} of {of} in {s}' for s, (n, of) in dead.items())}."
    )


def cards():
    study = load_study()
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        write_card(path)
        picture(load_checkpoint(path).card, study).savefig(
            path.with_suffix(".png"), dpi=80, metadata={"Software": None}
        )


def picture(card: dict, study: pd.DataFrame) -> Figure:
    """Left: the losses of this training. Right: scores of every seed after trainings of different
    lengths."""
    model, dataset, curve = card["config"]["model"], card["config"]["dataset"], card["curve"]
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for term, values in curve.items():
        if term in ("recon", "kl"):
            left.plot(
                curve["images"],
                pd.Series(values) - card["evaluation"]["floor"] * (term == "recon"),
                label=term,
            )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="images",
        ylabel="nats (reconstruction above its floor)",
        title=f"{NAMES.get(model, model)}, {dataset}, seed {card['config']['seed']}",
    )
    left.legend()
    rows = study[
        (study.dataset == dataset)
        & (study.place == "all")
        & study.setting.isin(LENGTHS)
        & ((study.model == model) | (study.setting == "untrained"))
    ]
    wide = rows.pivot(index=["setting", "seed"], columns="number", values="value")
    seen = wide["images seen"].clip(lower=wide["images seen"][wide["images seen"] > 0].min() / 10)
    for i, (score, label) in enumerate(
        {
            "mig": "MIG",
            "dci disentanglement": "DCI disentanglement",
            "factor_vae_score score": "FactorVAE score",
        }.items()
    ):
        right.plot(seen * 1.07 ** i, wide[score], "o", ms=4, alpha=0.7, label=label)
    right.set(
        xscale="log",
        xlabel="images (leftmost: not trained)",
        ylim=(0, 1),
        title="scores, a dot a seed",
    )
    right.legend(fontsize=8)
    return figure


def renew():
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        before, tensors, header = weights(path), *read_tensors(path, FORMAT)
        write_tensors(path, tensors, {"format": FORMAT, "card": header["card"]})
        if weights(path) != before: sys.exit(f"{path.name} has other weights than before")


def weights(path: Path) -> bytes:
    "All of a safetensors file but its header."
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


if __name__ == "__main__":
    {"renew": renew, "cards": cards}.get(" ".join(sys.argv[1:]), make)()
