"""How long do the field's scores take, and how near is the small suite to the full one? Run: python
benchmarks/scores.py [--write]

The arrays' scores of one model are timed, and stand beside each other for all suites; only those of
locatello2019 can be set beside published values. --write: all scores of the three dSprites models,
in full and with five seeds of the small suite, into the table that the notebook reads (half an hour
and more)."""
import sys
import time
from pathlib import Path

import pandas as pd

import vae_circuits
from vae_circuits.data import dataset
from vae_circuits.scorable import represent
from vae_circuits.scores import SUITES, array_scores, score_suite, score_table
from vae_circuits.recipes import PAPER_MODELS
from vae_circuits.shipped import load_pretrained

TABLE = Path(vae_circuits.__file__).parent/"results"/"suites.csv"
data = dataset("dsprites")


def timed():
    vae, tables = load_pretrained("vae", "dsprites"), []
    for name, suite in SUITES.items():
        train, test = (data.sample(n, (0, i)) for i, n in enumerate((suite.train, suite.test)))
        arrays = [
            v for s in (train, test) for v in (represent(vae, s.images), data.classes(s.factors))
        ]
        start = time.perf_counter()
        tables.append(
            score_table(array_scores(*arrays, trees=suite.trees), name)["value"].rename(name)
        )
        print(
            f"{name}: {suite.train:,} and {suite.test:,} points, {suite.trees} stages:"
            f" {time.perf_counter() - start:.1f} s",
            flush=True,
        )
    print(tables[0].to_frame().join(tables[1]).round(4).to_string())


def measured():
    "A table for each model, suite and seed."
    for model in PAPER_MODELS:
        vae = load_pretrained(model, "dsprites")
        for suite, seeds in (("fast", range(5)), ("locatello2019", [0])):
            for seed in seeds:
                start = time.perf_counter()
                yield score_suite(data, vae, suite, seed=seed).assign(model=model, seed=seed)
                print(
                    f"{model}, {suite}, seed {seed}: {time.perf_counter() - start:.0f} s",
                    flush=True,
                )


if "--write" in sys.argv:
    TABLE.parent.mkdir(exist_ok=True)
    pd.concat(measured()).to_csv(TABLE)
    print(f"wrote {TABLE}")
else: timed()
