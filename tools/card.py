"""Draws nbs/card.png, which shows where somebody shares a link to the site: python tools/card.py"""
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from vae_circuits.data import DSprites
from vae_circuits.shipped import load_pretrained

INK, PAPER, WARM, COOL = "#1f3a5f", "#ffffff", "#ffb454", "#8ab4f8"
OUT = Path(__file__).resolve().parent.parent/"nbs"/"card.png"


def rows(steps=9):
    """The three latents that say most, each moved alone from one heart: their numbers, and pictures
    [latent, step, h, w]."""
    data, vae = DSprites(), load_pretrained("factor_vae", "dsprites")
    heart = data.render(dict(shape=3, scale=1, orientation=0, posX=0.5, posY=0.5))
    most = vae.run(data.sample(256, seed=0).images).kl.mean(0).topk(3).indices.tolist()
    values = np.linspace(-2, 2, steps).tolist()
    return most, [
        [vae.run(heart, do={f"z[{k}]": v}).recon[0, 0].detach() for v in values] for k in most
    ]


def card():
    "The card, 1200 x 630: name, what it is, and three latents at work."
    fig = Figure(figsize=(12, 6.3), dpi=100, facecolor=INK)
    fig.text(0.05, 0.80, "vae_circuits", color=PAPER, fontsize=54, weight="bold")
    fig.text(
        0.05,
        0.70,
        "Take variational autoencoders apart by causal intervention",
        color=COOL,
        fontsize=22,
    )
    for r, (latent, row) in enumerate(zip(*rows())):
        fig.text(
            0.05,
            0.565 - 0.19 * r,
            f"do(z{latent})",
            color=WARM,
            fontsize=18,
            family="monospace",
            va="center",
        )
        for c, picture in enumerate(row):
            ax = fig.add_axes((0.15 + 0.09 * c, 0.48 - 0.19 * r, 0.085, 0.17))
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set_axis_off()
    return fig


if __name__ == "__main__":
    fig = card()
    fig.savefig(OUT, facecolor=INK)
    # few colors are enough, and make it small
    Image.open(OUT).convert("RGB").quantize(64).save(OUT, optimize=True)
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")
