"""How long do 1,000 resamples of a full sweep's summary take? Run: python benchmarks/resampling.py

A sweep of 224 channels over 64 pairs with 10 readouts; the loop draws pairs and sums up, one
resample after the other."""
import time

import numpy as np
import xarray as xr
from vae_circuits.uncertainty import bootstrap

rng = np.random.default_rng(0)
nie = xr.DataArray(rng.normal(size=(64, 224, 10)), dims=("pair", "unit", "readout"))
te = xr.DataArray(rng.normal(size=(64, 10)), dims=("pair", "readout"))


def loop(resamples):
    for _ in range(resamples):
        some = rng.integers(64, size=64)
        (nie.values[some] * te.values[some, None]).sum((0, 2)) / (te.values[some]**2).sum()


start = time.perf_counter()
bootstrap(lambda product, square: product.sum("readout") / square.sum("readout"), nie * te, te**2)
weights = time.perf_counter() - start
start = time.perf_counter()
loop(1000)
print(
    f"{weights:.2f} s for 1,000 resamples; drawing pairs in a loop takes"
    f" {(time.perf_counter() - start) / weights:.1f} times as long"
)
