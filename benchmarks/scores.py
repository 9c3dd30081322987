"""How long do the field's scores take, and how near is the small suite to the full one? Run: python
benchmarks/scores.py [--table | --write]

The arrays' scores of one model are timed, and stand beside each other for all suites; only those of
locatello2019 can be set beside published values. --table: all scores of the three dSprites models,
in full and with five seeds of the small suite, into the table that the notebook reads (two hours of
a core; cut, it goes on where it was). --write: how far faster trees move DCI, on fifty
representations, into README.md (ten minutes)."""
import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import table, write_section
from scipy.linalg import expm
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

import vae_circuits
from vae_circuits.data import dataset
from vae_circuits.folders import write_atomic
from vae_circuits.scorable import _purity, represent
from vae_circuits.scores import SUITES, array_scores, score_suite, score_table
from vae_circuits.recipes import PAPER_DATASETS, PAPER_MODELS
from vae_circuits.shipped import CHECKPOINTS, load_pretrained
from vae_circuits.untrained import untrained

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


def measured(folder):
    """A table for each model, suite and seed; each is kept in a file of `folder`, so that a cut run
    goes on where it was."""
    suites = [("fast", seed) for seed in range(5)] + [("locatello2019", 0)]
    for model in PAPER_MODELS:
        vae = load_pretrained(model, "dsprites")
        for suite, seed in suites:
            path = folder/f"{model}-{suite}-{seed}.csv"
            if not path.is_file():
                start = time.perf_counter()
                found = score_suite(data, vae, suite, seed=seed).assign(model=model, seed=seed)
                write_atomic(path, found.to_csv())
                print(f"{path.stem}: {time.perf_counter() - start:.0f} s", flush=True)
            yield pd.read_csv(path, index_col=["score", "part"])


def kept() -> Path:
    "A folder of its own for these networks, below `runs/`."
    files = b"".join((CHECKPOINTS/f"{m}_dsprites.safetensors").read_bytes() for m in PAPER_MODELS)
    folder = Path("runs")/f"suites-{hashlib.sha256(files).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def representations():
    """Fifty of them, with their factors: the six models' codes, turned away from their axes in
    eight steps, and those of two networks that nobody trained."""
    suite = SUITES["fast"]
    for name in PAPER_DATASETS:
        world = dataset(name)
        sets = [world.sample(n, (0, i)) for i, n in enumerate((suite.train, suite.test))]
        factors = [world.classes(s.factors) for s in sets]
        for model in PAPER_MODELS:
            vae = load_pretrained(model, name)
            codes = [represent(vae, s.images) for s in sets]
            yield from ((*turned(codes, angle), *factors) for angle in np.linspace(0, np.pi / 2, 8))
        yield *(represent(untrained(vae), s.images) for s in sets), *factors


def turned(codes, angle):
    random = np.random.default_rng(0).normal(size=(codes[0].shape[1],) * 2)
    skew = random - random.T
    return [c @ expm(angle * skew / np.linalg.norm(skew, 2)) for c in codes]


def forest(codes, labels, stages):
    model = GradientBoostingClassifier(n_estimators=stages, random_state=0).fit(codes, labels)
    return model, model.feature_importances_


def binned(codes, labels, stages):
    """Trees of the same depth on 255 bins. They have no importances of their own; the gains of
    their splits are what LightGBM and XGBoost go by."""
    model = HistGradientBoostingClassifier(
        max_iter=stages, max_depth=3, max_leaf_nodes=None, min_samples_leaf=1,
        early_stopping=False, random_state=0).fit(codes, labels)
    gains = np.zeros(codes.shape[1])
    for tree in (tree for stage in model._predictors for tree in stage):
        inner = tree.nodes[tree.nodes["is_leaf"] == 0]
        np.add.at(gains, inner["feature_idx"], inner["gain"])
    return model, gains


def lightgbm(codes, labels, stages):
    from lightgbm import LGBMClassifier
    model = LGBMClassifier(n_estimators=stages, max_depth=3, num_leaves=8, min_child_samples=1,
                           importance_type="gain", n_jobs=1, verbose=-1, random_state=0)
    return model.fit(codes, labels), model.feature_importances_


def scored(fit, codes, codes_test, factors, factors_test):
    "Disentanglement, completeness, informativeness, and the seconds they took."
    start, used, right = time.process_time(), [], []
    for labels, labels_test in zip(factors.T, factors_test.T):
        model, importances = fit(codes, labels, SUITES["fast"].trees)
        used.append(importances / max(importances.sum(), 1e-300))
        right.append((model.predict(codes_test) == labels_test).mean())
    used = np.array(used).T
    return _purity(used), _purity(used.T), np.mean(right), time.process_time() - start


def boosted():
    "How far other boosting moves the three numbers of DCI: a row a way and number."
    ways = {"scikit-learn, exact": forest, "scikit-learn, 255 bins": binned, "LightGBM": lightgbm}
    given = list(representations())
    found = {name: np.array([scored(fit, *r) for r in given]) for name, fit in ways.items()}
    exact = found["scikit-learn, exact"]
    for name, numbers in found.items():
        for i, part in enumerate(("disentanglement", "completeness", "informativeness")):
            value, true = numbers[:, i], exact[:, i]
            away = np.abs(value - true)
            yield {"boosting": name, "seconds": numbers[:, 3].mean(), "number": part,
                   "of": len(given),
                   "mean": value.mean(), "moved": away.mean(), "most": away.max(),
                   "in order": pd.Series(value).corr(pd.Series(true), "spearman")}


def notes(rows) -> list:
    moved = {name: max(r["most"] for r in rows if r["boosting"] == name)
             for name in {r["boosting"]: None for r in rows}}
    near = [name for name, most in moved.items() if 0 < most <= 0.01]
    return [
        f"DCI of {rows[0]['of']} representations with the small suite's numbers of "
        "points and stages: the codes of the six models that ship, turned in eight steps, and of "
        "two untrained networks. *seconds*: of the processor, for one. *moved*, *most*: mean and "
        "largest distance from exact boosting. *in order*: rank correlation with it.",
        f"Within 0.01 of exact boosting, which the suites have: {', '.join(near) or 'none'}."]


if "--table" in sys.argv:
    pd.concat(measured(kept())).to_csv(TABLE)
    print(f"wrote {TABLE}")
elif "--write" in sys.argv:
    rows = list(boosted())
    columns = ["boosting", "number", "mean", "moved", "most", "in order", "seconds"]
    lines = table(rows, columns, 3)
    print("\n".join(lines))
    write_section("Scores", [*lines, "", *notes(rows)])
else: timed()
