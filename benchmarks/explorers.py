"""How long does an explorer take to follow a move, live and as a page in headless Chromium? Run:
python benchmarks/explorers.py

Milliseconds, medians over moves. The aims are 100 live, the way to the browser left out, and 40 a
frame in a page."""
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from vae_circuits.data import dataset
from vae_circuits.explorers import explore_latents, explore_patching
from vae_circuits.pages import latents_page, patching_page
from vae_circuits.shipped import load_pretrained

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/"tools"))
from browser import chromium

MOVES = 30
MOVE = (
    "(n => { const t = []; for (let i = 0; i < n; i++) { const s = performance.now(); move(i);"
    " t.push(performance.now() - s); } return t; })"
)
LATENT = (
    "const z = Float32Array.from(plan.latents, () => 0.5), move = i => { z[0] = i / 10; show(p,"
    " run({z}).recon); }"
)
CHANNEL = """const a = run({x: stored(1)}), b = run({x: stored(200)}), n = 1024, move = i => {
    const other = b.encoder_conv_0.subarray(i * n, i * n + n);
    const edit = v => { const out = v.slice(); out.set(other, i * n); return out; };
    show(p, run({}, {encoder_conv_0: edit}, a).recon); }"""


def median(call):
    times = []
    for i in range(MOVES):
        start = time.perf_counter()
        call(i)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def in_browser(page, move):
    "Median milliseconds of a move in the page's own functions."
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = chromium(play)
        page.save(path := Path(folder)/"page.html")
        tab = browser.new_page()
        tab.goto(path.as_uri())
        tab.wait_for_selector("body[data-ready]")
        times = tab.evaluate(
            f"() => {{ const p = picture('benchmark'); {move}; return {MOVE}({MOVES}); }}"
        )
        browser.close()
    return statistics.median(times)


if __name__ == "__main__":
    vae, data = load_pretrained("factor_vae", "dsprites"), dataset("dsprites")
    latents, patching = explore_latents(vae, data), explore_patching(vae, data)
    rows = {
        "latent, live": median(lambda i: setattr(latents.sliders[0], "value", i / 10)),
        "channel of the first layer, live": median(
            lambda i: setattr(patching.units.buttons[i], "value", True)
        ),
        "new image, live": median(
            lambda i: setattr(patching.clean.controls["posX"], "value", i / 40)
        ),
        "latent, page": in_browser(latents_page(vae, data), LATENT),
        "channel of the first layer, page": in_browser(patching_page(vae, data), CHANNEL),
    }
    for name, value in rows.items(): print(f"{name:<34}{value:6.1f} ms")
