const plan = JSON.parse(document.getElementById("plan").textContent),
  app = document.getElementById("app"),
  arrays = [];
function array(number) {
  return arrays[number];
}
async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("numbers").textContent), (c) =>
    c.charCodeAt(0),
  );
  const block = await new Response(
    new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")),
  ).arrayBuffer();
  const kinds = { float32: Float32Array, int32: Int32Array, int8: Int8Array, uint8: Uint8Array };
  arrays.sum = adler(new Uint8Array(block));
  for (const a of plan.arrays) arrays.push(new kinds[a.kind](block, a.at, a.length));
}
function adler(bytes) {
  // a sum in which every byte and its place counts
  let a = 1,
    b = 0;
  for (const v of bytes) {
    a = (a + v) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
function warn(text) {
  app.prepend(element("p", { role: "alert", class: "wide" }, text));
}
function start(call) {
  const sorry = (e) => {
    warn(`This page cannot run here: ${e.message}`);
    throw e;
  };
  const ready = () => {
    document.body.dataset.ready = "yes";
    setTimeout(check);
  };
  unpack().then(call).then(ready).catch(sorry);
}
// The page's own test: did the numbers come whole, and give here what they gave where it was made?
function check() {
  let sound = false;
  try {
    sound = arrays.sum === plan.sum && plan.check.every(agrees);
  } catch (e) {
    console.warn(e);
  }
  if (!sound) warn("This page computes wrongly here: its own test fails. Do not trust it.");
  document.body.dataset.sound = sound ? "yes" : "no";
}
function agrees({ from, row, every, limit, expected }) {
  const values = run(from === "z" ? { z: mean(row) } : opening(row));
  return Object.entries(expected).every(([site, number]) =>
    array(number).every(
      (v, i) => Math.abs(values[site][(i * every[site]) % values[site].length] - v) <= limit[site],
    ),
  );
}
function element(kind, attributes = {}, ...children) {
  const e = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value);
  e.append(...children);
  return e;
}
function slider(parent, label, { min, max, step, value }, says, call) {
  const shown = element("span", { class: "value", "aria-hidden": "true" }),
    input = element("input", { type: "range", min, max, step, value, "aria-label": label });
  const tell = () => {
    shown.textContent = says(+input.value);
    input.setAttribute("aria-valuetext", says(+input.value));
  };
  input.addEventListener("input", () => {
    tell();
    call(+input.value);
  });
  parent.append(element("label", { class: "slider" }, element("span", {}, label), input, shown));
  tell();
  return {
    get value() {
      return +input.value;
    },
    set value(v) {
      input.value = v;
      tell();
    },
  };
}
function group(title, ...children) {
  return element("fieldset", {}, element("legend", {}, title), ...children);
}
// What is drawn: a picture [c, h, w], a video [c, frames, h, w] as frames side by side, signals
// [c, t] as lines, numbers [n] as bars.
const plotted = () => plan.image.length < 3;
function picture(caption) {
  const frames = plan.image.length > 3 ? plan.image[1] : 1,
    [height, width] = plotted() ? [256, 256] : plan.image.slice(-2),
    canvas = element("canvas", {
      width: frames * width,
      height,
      role: "img",
      "aria-label": caption,
    });
  if (frames > 1) canvas.style.width = `${frames * 64}px`;
  if (frames > 1) canvas.style.height = "64px";
  return {
    canvas,
    figure: element("figure", {}, canvas, element("figcaption", {}, caption)),
    channels: plan.image[0],
  };
}
// Where pixel i of a canvas is among the values of one channel.
function place(i) {
  if (plan.image.length < 4) return i;
  const [, frames, height, width] = plan.image,
    x = i % (frames * width),
    y = Math.floor(i / (frames * width));
  return (Math.floor(x / width) * height + y) * width + (x % width);
}
const LINES = ["#3b6ea8", "#c46a1b", "#3f8a4c", "#a8385d", "#6d5aa8", "#7a6a52"];
function plot(canvas, values, low, high) {
  const context = canvas.getContext("2d"),
    [n, last] = plan.image.length === 1 ? [1, plan.image[0]] : plan.image,
    y = (v) => canvas.height * (1 - (v - low) / (high - low));
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.lineWidth = 2;
  for (let c = 0; c < n; c++) {
    context.strokeStyle = context.fillStyle = LINES[c % LINES.length];
    const at = (t) => values[c * last + t],
      step = canvas.width / last;
    if (plan.image.length === 1) {
      for (let t = 0; t < last; t++)
        context.fillRect(t * step, y(0), Math.max(1, step - 1), y(at(t)) - y(0));
      continue;
    }
    context.beginPath();
    for (let t = 0; t < last; t++) context.lineTo((t + 0.5) * step, y(at(t)));
    context.stroke();
  }
}
// The pictures of a page in a row, and the line below them.
function stage(pictures, says) {
  const row = element("div", { class: "pictures" }, ...pictures.map((p) => p.figure));
  return element("div", { class: "wide" }, row, says);
}
function fill(canvas, color) {
  const context = canvas.getContext("2d"),
    pixels = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) pixels.data.set([...color(i), 255], 4 * i);
  context.putImageData(pixels, 0, 0);
}
function show(p, image) {
  const [low, high] = plan.range,
    n = p.canvas.width * p.canvas.height,
    at = (i) => (255 * (image[i] - low)) / (high - low);
  if (plotted()) return plot(p.canvas, image, low, high);
  fill(
    p.canvas,
    p.channels === 3
      ? (i) => [0, n, 2 * n].map((c) => at(c + place(i)))
      : (i) => {
          const v = at(place(i));
          return [v, v, v];
        },
  );
}
function showDifference(p, change) {
  const [low, high] = plan.range,
    n = p.canvas.width * p.canvas.height,
    all = p.channels;
  if (plotted()) return plot(p.canvas, change, low - high, high - low);
  fill(p.canvas, (i) => {
    let v = 0;
    for (let c = 0; c < all; c++) v += change[c * n + place(i)] / all / (high - low);
    return tint(v);
  });
}
function tint(v) {
  // from blue through white to red
  const t = Math.min(1, Math.abs(v)),
    end = v < 0 ? [5, 48, 97] : [178, 24, 43];
  return end.map((e) => 255 + t * (e - 255));
}
// Sliders for the factors of an image; calls with the row of the table of images.
function chooser(title, row, call) {
  const box = group(title),
    sizes = plan.factors.map((f) => f.labels.length),
    at = [];
  for (let i = sizes.length - 1; i >= 0; i--) {
    at[i] = row % sizes[i];
    row = Math.floor(row / sizes[i]);
  }
  const now = () => at.reduce((r, v, i) => r * sizes[i] + v, 0);
  plan.factors.forEach((f, i) => {
    if (sizes[i] > 1)
      slider(
        box,
        f.name,
        { min: 0, max: sizes[i] - 1, step: 1, value: at[i] },
        (v) => f.labels[v],
        (v) => {
          at[i] = v;
          call(now());
        },
      );
  });
  return {
    box,
    get row() {
      return now();
    },
  };
}
function stored(row) {
  const n = plan.image.reduce((a, b) => a * b),
    [low, high] = plan.range;
  return Float32Array.from(
    array(plan.images).subarray(row * n, row * n + n),
    (v) => low + (v / 255) * (high - low),
  );
}
// What a pass begins with: an image, or its activation at the site where the page begins.
function opening(row) {
  if (!plan.begin) return { x: stored(row) };
  return { [plan.begin]: array(plan.begun).slice(row * plan.size, (row + 1) * plan.size) };
}
function mean(row) {
  const d = plan.latents.length;
  return array(plan.means).slice(row * d, row * d + d);
}
function norm(a) {
  return Math.sqrt(a.reduce((s, v) => s + v * v, 0));
}
// Runs `call` at most once a frame, and notes how long it took in milliseconds.
function each(call) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const begun = performance.now();
      call();
      document.body.dataset.ms = (performance.now() - begun).toFixed(1);
    });
  };
}
