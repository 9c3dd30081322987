"""How long do the field's scores take, and how near is the small suite to the full one? Run: python benchmarks/scores.py

The scores on arrays for the six shipped models' codes would take a quarter of an hour; one model is timed, with both suites.
"""
import time

from vae_circuits.data import dataset
from vae_circuits.scores import SUITES, array_scores, represent, score_table
from vae_circuits.training import load_pretrained

vae, data, tables = load_pretrained("vae", "dsprites"), dataset("dsprites"), []
for name, suite in SUITES.items():
    train, test = (data.sample(n, (0, i)) for i, n in enumerate((suite.train, suite.test)))
    arrays = [v for s in (train, test) for v in (represent(vae, s.images), data.classes(s.factors))]
    start = time.perf_counter()
    tables.append(score_table(array_scores(*arrays, trees=suite.trees), name)["value"].rename(name))
    print(f"{name}: {suite.train:,} and {suite.test:,} points, {suite.trees} stages: {time.perf_counter() - start:.1f} s")
print(tables[0].to_frame().join(tables[1]).round(4).to_string())
