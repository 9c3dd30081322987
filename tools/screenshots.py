"""Photographs the explorers for the README and the site, nbs/explorer_*.png: python
tools/screenshots.py (needs Chromium)"""
import tempfile
from pathlib import Path

import numpy as np
from browser import chromium
from PIL import Image
from playwright.sync_api import sync_playwright

from vae_circuits.circuits import find_circuit
from vae_circuits.data import DSprites
from vae_circuits.pages import circuits_page, latents_page, patching_page
from vae_circuits.shipped import load_pretrained

NBS = Path(__file__).resolve().parent.parent/"nbs"


def latents(tab, names):
    "Two latents are moved."
    for name, key in zip(names, ("ArrowRight", "ArrowLeft")):
        for _ in range(40): tab.get_by_role("slider", name=name, exact=True).press(key)


def patching(tab, circuit):
    "Those channels of the second convolution are the donor's that belong to a circuit."
    tab.get_by_role("button", name="encoder_conv_1 (").click()
    for unit in np.flatnonzero(circuit.members["encoder_conv_1"]):
        tab.get_by_role("button", name=f"encoder_conv_1[{unit}]", exact=True).click()


def photograph(browser, page, act, name):
    "The page after `act`, as a small PNG."
    out = NBS/f"explorer_{name}.png"
    with tempfile.TemporaryDirectory() as folder:
        page.save(path := Path(folder)/"page.html")
        tab = browser.new_page(viewport={"width": 1000, "height": 400})
        tab.goto(path.as_uri())
        tab.wait_for_selector("body[data-ready]")
        act(tab)
        tab.evaluate("document.activeElement.blur()")
        tab.wait_for_timeout(300)
        tab.screenshot(path=out, full_page=True)
    Image.open(out).convert("RGB").quantize(48).save(out, optimize=True)
    print(f"{out.name}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    data, vae = DSprites(), load_pretrained("beta_vae", "dsprites")
    circuits = [find_circuit(vae, data, f) for f in ("posX", "scale")]
    most = vae.run(data.sample(256, seed=0).images).kl.mean(0).topk(2).indices.tolist()
    shots = {
        "latents": (latents_page(vae, data), lambda tab: latents(tab, [f"z{i}" for i in most])),
        "patching": (patching_page(vae, data), lambda tab: patching(tab, circuits[0])),
        "circuits": (
            circuits_page(vae, data, circuits),
            lambda tab: tab.get_by_role("button", name="posX").click(),
        ),
    }
    with sync_playwright() as play:
        browser = chromium(play)
        for name, (page, act) in shots.items(): photograph(browser, page, act, name)
