function product(w, scale, a, rows, inner, cols) {
  const out = new Float32Array(rows * cols),
    live = [];
  for (let k = 0; k < inner; k++)
    for (let c = k * cols, end = c + cols; c < end; c++)
      if (a[c] !== 0) {
        live.push(k);
        break;
      }
  for (let r = 0; r < rows; r++) {
    const o = r * cols,
      at = r * inner,
      s = scale[r];
    let n = 0;
    for (; n + 3 < live.length; n += 4) {
      const [d, e, f, g] = [
        live[n] * cols,
        live[n + 1] * cols,
        live[n + 2] * cols,
        live[n + 3] * cols,
      ];
      const [p, q, t, u] = [
        s * w[at + live[n]],
        s * w[at + live[n + 1]],
        s * w[at + live[n + 2]],
        s * w[at + live[n + 3]],
      ];
      for (let c = 0; c < cols; c++)
        out[o + c] += p * a[d + c] + q * a[e + c] + t * a[f + c] + u * a[g + c];
    }
    for (; n < live.length; n++) {
      const d = live[n] * cols,
        p = s * w[at + live[n]];
      for (let c = 0; c < cols; c++) out[o + c] += p * a[d + c];
    }
  }
  return out;
}
// Visits every place where a kernel element (row r of the patches) meets a pixel:
// call(index in the patches, index in the image).
function meet(image, plane, { kernel, stride, padding, dilation }, call) {
  const [channels, height, width] = image,
    [rows, cols] = plane;
  for (let c = 0, r = 0; c < channels; c++)
    for (let i = 0; i < kernel[0]; i++)
      for (let j = 0; j < kernel[1]; j++, r++)
        for (let y = 0; y < rows; y++) {
          const v = y * stride[0] + i * dilation[0] - padding[0];
          if (v < 0 || v >= height) continue;
          for (let x = 0; x < cols; x++) {
            const h = x * stride[1] + j * dilation[1] - padding[1];
            if (h >= 0 && h < width) call((r * rows + y) * cols + x, (c * height + v) * width + h);
          }
        }
}
const MAPS = {
  relu: () => (v) => (v > 0 ? v : 0),
  sigmoid: () => (v) => 1 / (1 + Math.exp(-v)),
  tanh: () => Math.tanh,
  silu: () => (v) => v / (1 + Math.exp(-v)),
  exp: () => Math.exp,
  log: () => Math.log,
  sqrt: () => Math.sqrt,
  abs: () => Math.abs,
  neg: () => (v) => -v,
  reciprocal: () => (v) => 1 / v,
  leaky_relu: (slope) => (v) => (v > 0 ? v : slope * v),
  elu: (alpha, scale, inner) => (v) => scale * (v > 0 ? v : alpha * Math.expm1(inner * v)),
  softplus: (beta, limit) => (v) => (v * beta > limit ? v : Math.log1p(Math.exp(v * beta)) / beta),
  gelu: (way) =>
    way === "none"
      ? (v) => (v / 2) * (1 + erf(v / Math.SQRT2))
      : (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  clamp: clip,
  clamp_min: clip,
  hardtanh: clip,
};
const PAIRS = {
  add: (alpha) => (a, b) => a + alpha * b,
  sub: (alpha) => (a, b) => a - alpha * b,
  rsub: (alpha) => (a, b) => b - alpha * a,
  mul: () => (a, b) => a * b,
  div: () => (a, b) => a / b,
  pow: () => Math.pow,
  maximum: () => Math.max,
  minimum: () => Math.min,
};
function clip(low, high) {
  return (v) => Math.min(Math.max(v, low ?? -Infinity), high ?? Infinity);
}
function erf(v) {
  // Abramowitz and Stegun 7.1.26, to 1.5e-7
  const t = 1 / (1 + 0.3275911 * Math.abs(v)),
    p =
      ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) *
      t;
  return Math.sign(v) * (1 - p * Math.exp(-v * v));
}
const REDUCED = {
  sum: (v) => v.reduce((s, a) => s + a, 0),
  mean: (v) => v.reduce((s, a) => s + a, 0) / v.length,
  linalg_vector_norm: (v) => Math.sqrt(v.reduce((s, a) => s + a * a, 0)),
};
const OPS = {
  norm: (s, [a]) => {
    const out = new Float32Array(a.length),
      gain = array(s.gain),
      shift = array(s.shift);
    for (let at = 0; at < a.length; at += s.inner) {
      const row = a.subarray(at, at + s.inner),
        middle = REDUCED.mean(row);
      let square = 0;
      for (const v of row) square += (v - middle) ** 2;
      const size = Math.sqrt(square / s.inner + s.eps);
      for (let i = at; i < at + s.inner; i++) {
        const c = Math.floor(i / s.plane) % gain.length;
        out[i] = ((a[i] - middle) / size) * gain[c] + shift[c];
      }
    }
    return out;
  },
  reduce: (s, [a]) =>
    Float32Array.from({ length: a.length / s.inner }, (_, i) =>
      REDUCED[s.f](a.subarray(i * s.inner, (i + 1) * s.inner)),
    ),
  softmax: (s, [a]) => {
    const out = new Float32Array(a.length);
    for (let at = 0; at < a.length; at += s.inner) {
      const row = a.subarray(at, at + s.inner),
        top = row.reduce((t, v) => Math.max(t, v), -Infinity),
        odds = row.map((v) => Math.exp(v - top)),
        all = REDUCED.sum(odds);
      out.set(
        odds.map((v) => v / all),
        at,
      );
    }
    return out;
  },
  matmul: (s, [a, b]) => {
    // one matrix after the other; a single second one goes with all
    const size = s.rows * s.inner,
      n = a.length / size,
      step = b.length > s.inner * s.cols ? s.inner * s.cols : 0,
      [down, right] = s.turned ? [1, s.inner] : [s.cols, 1],
      out = new Float32Array(n * s.rows * s.cols);
    for (let m = 0, o = 0; m < n; m++)
      for (let r = 0; r < s.rows; r++)
        for (let c = 0; c < s.cols; c++, o++) {
          let sum = 0;
          for (let k = 0; k < s.inner; k++)
            sum += a[m * size + r * s.inner + k] * b[m * step + k * down + c * right];
          out[o] = sum * s.scale;
        }
    return out;
  },
  gru: (s, [a, begin]) => {
    const n = s.size,
      out = new Float32Array(s.steps * n),
      inner = a.length / s.steps;
    const times = (p, v) =>
      shifted(
        product(array(p.weight), array(p.scale), v, 3 * n, p.inner, 1),
        array(p.bias),
      );
    let h = begin;
    for (let k = 0; k < s.steps; k++) {
      const t = s.reverse ? s.steps - 1 - k : k,
        x = times(s.input, a.subarray(t * inner, (t + 1) * inner)),
        v = times(s.state, h);
      h = h.map((old, i) => {
        const r = 1 / (1 + Math.exp(-x[i] - v[i])),
          u = 1 / (1 + Math.exp(-x[n + i] - v[n + i])),
          g = Math.tanh(x[2 * n + i] + r * v[2 * n + i]);
        return g + u * (old - g);
      });
      out.set(h, t * n);
    }
    return out;
  },
  same: (s, [a]) => a,
  constant: (s) => array(s.array),
  map: (s, [a]) => {
    const f = MAPS[s.f](...s.args),
      out = new Float32Array(a.length);
    for (let i = 0; i < a.length; i++) out[i] = f(a[i]);
    return out;
  },
  pair: (s, [a, b]) => {
    // a single number goes with all of the other
    const f = PAIRS[s.f](...s.args),
      out = new Float32Array(Math.max(a.length, b.length));
    const n = a.length > 1 ? 1 : 0,
      m = b.length > 1 ? 1 : 0;
    for (let i = 0; i < out.length; i++) out[i] = f(a[i * n], b[i * m]);
    return out;
  },
  pick: (s, parts) => {
    const from = places(s.places),
      a = parts.length > 1 ? joined(parts) : parts[0];
    const out = new Float32Array(from.length);
    for (let i = 0; i < out.length; i++) if (from[i]) out[i] = a[from[i] - 1];
    return out;
  },
  channels: (s, [a]) => {
    const g = array(s.gain),
      t = array(s.shift),
      n = a.length / g.length;
    return a.map((v, i) => v * g[Math.floor(i / n)] + t[Math.floor(i / n)]);
  },
  linear: (s, [a]) => {
    // along the last axis
    const rows = array(s.scale).length,
      n = a.length / s.inner,
      columns = turned(a, n, s.inner);
    const out = product(array(s.weight), array(s.scale), columns, rows, s.inner, n);
    return turned(shifted(out, array(s.bias)), rows, n);
  },
  conv: (s, [a]) => {
    const plane = s.out.slice(1),
      n = plane[0] * plane[1],
      patches = new Float32Array(s.inner * n);
    meet(s.size, plane, s, (p, i) => {
      patches[p] = a[i];
    });
    return shifted(
      product(array(s.weight), array(s.scale), patches, s.out[0], s.inner, n),
      array(s.bias),
    );
  },
  spread: (s, [a]) => {
    const plane = s.size.slice(1),
      out = new Float32Array(s.out[0] * s.out[1] * s.out[2]);
    const patches = product(
      array(s.weight),
      array(s.scale),
      a,
      array(s.scale).length,
      s.inner,
      plane[0] * plane[1],
    );
    meet(s.out, plane, s, (p, i) => {
      out[i] += patches[p];
    });
    return shifted(out, array(s.bias));
  },
};
function shifted(a, bias) {
  const n = a.length / bias.length;
  for (let c = 0, i = 0; c < bias.length; c++) for (let k = 0; k < n; k++, i++) a[i] += bias[c];
  return a;
}
function turned(a, rows, columns) {
  if (rows === 1 || columns === 1) return a;
  const out = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) out[(i % columns) * rows + Math.floor(i / columns)] = a[i];
  return out;
}
function joined(parts) {
  const out = new Float32Array(parts.reduce((n, a) => n + a.length, 0));
  parts.reduce((at, a) => {
    out.set(a, at);
    return at + a.length;
  }, 0);
  return out;
}
const placed = new Map();
function places(number) {
  // where numbers come from, 0 for nowhere: sums of the steps, made once
  let at = 0;
  if (!placed.has(number))
    placed.set(
      number,
      array(number).map((step) => (at += step)),
    );
  return placed.get(number);
}
// One pass. known: name -> activation. edits: site -> function of the activation, whose value takes
// its place.
// base: an earlier pass; what does not follow from an edit is taken from there.
function run(known, edits = {}, base = null) {
  const values = { ...known },
    changed = new Set(Object.keys(known));
  const before = (name) => (Object.hasOwn(values, name) ? values[name] : base[name]);
  for (const s of plan.steps) {
    const moved = !base || s.from.some((name) => changed.has(name));
    if (moved) values[s.to] = OPS[s.op](s, s.from.map(before));
    if (Object.hasOwn(edits, s.to)) values[s.to] = edits[s.to](moved ? values[s.to] : base[s.to]);
    if (moved || Object.hasOwn(edits, s.to)) changed.add(s.to);
    else values[s.to] = base[s.to];
  }
  return values;
}
