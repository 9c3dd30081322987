start(() => {
  const names = [
      "clean",
      "changed",
      "changed, rebuilt",
      "only the circuit follows",
      "all but the circuit follow",
    ],
    pictures = names.map(picture),
    says = element("p", { role: "status" });
  const drawing = element("div", { class: "drawing", role: "img" }),
    row = element("div", {
      class: "sites",
      role: "group",
      "aria-label": "the factor that is changed",
    }),
    change = element("div");
  let circuit = plan.circuits[0],
    other = 0;
  const sites = () => plan.sites.filter((s) => s.name in circuit.members);
  const stride = plan.factors.map((_, i) =>
    plan.factors.slice(i + 1).reduce((n, f) => n * f.labels.length, 1),
  );
  const changed = () => {
    const i = circuit.factor,
      n = plan.factors[i].labels.length,
      at = Math.floor(clean.row / stride[i]) % n;
    return clean.row + (other - at) * stride[i];
  };
  const held = (base, follows) =>
    Object.fromEntries(
      sites().map((s) => [
        s.name,
        (a) => {
          const out = base[s.name].slice(),
            n = a.length / s.units,
            inside = new Set(circuit.members[s.name]);
          for (let u = 0; u < s.units; u++)
            if (inside.has(u) === follows) out.set(a.subarray(u * n, u * n + n), u * n);
          return out;
        },
      ]),
    );
  const update = each(() => {
    const x = stored(changed()),
      a = run({ x: stored(clean.row) }),
      b = run({ x }),
      only = run({ x }, held(a, true)),
      rest = run({ x }, held(a, false));
    [stored(clean.row), x, b.recon, only.recon, rest.recon].forEach((image, i) =>
      show(pictures[i], image),
    );
    const way = b.mu.map((v, i) => v - a.mu[i]),
      size = norm(way) ** 2,
      share = (r) =>
        Math.round((100 * r.mu.reduce((t, v, i) => t + (v - a.mu[i]) * way[i], 0)) / size) || 0;
    says.textContent =
      size > 0
        ? `Of the change of the latents, the circuit alone makes ${share(only)}%,` +
          ` everything else without it ${share(rest)}%.`
        : `${plan.factors[circuit.factor].name} is not changed: move its slider`;
  });
  const light = () => {
    const inside = sites().map(
      (s) => `${circuit.members[s.name].length} of ${s.units} units of ${s.name}`,
    );
    drawing.setAttribute(
      "aria-label",
      `Circuit of ${plan.factors[circuit.factor].name}: ${inside.join(", ")}`,
    );
    drawing.replaceChildren(
      ...sites().map((s, i) => {
        const set = new Set(circuit.members[s.name]),
          dots = Array.from({ length: s.units }, (_, u) =>
            element("i", {
              title: `${s.name}[${u}]`,
              style: set.has(u) ? `background:${circuit.color};border-color:${circuit.color}` : "",
            }),
          );
        return element(
          "figure",
          {},
          element("div", { class: "dots" }, ...dots),
          element("figcaption", {}, inside[i]),
        );
      }),
    );
    for (const c of plan.circuits) buttons.get(c).setAttribute("aria-pressed", c === circuit);
  };
  const open = (c) => {
    circuit = c;
    const labels = plan.factors[c.factor].labels;
    other = labels.length - 1;
    change.replaceChildren();
    slider(
      change,
      "changed to",
      { min: 0, max: labels.length - 1, step: 1, value: other },
      (v) => labels[v],
      (v) => {
        other = v;
        update();
      },
    );
    light();
    update();
  };
  const clean = chooser("clean", plan.start, () => update());
  const buttons = new Map(
    plan.circuits.map((c) => [
      c,
      element(
        "button",
        { type: "button", style: `border-left:1rem solid ${c.color}`, onclick: () => open(c) },
        plan.factors[c.factor].name,
      ),
    ]),
  );
  row.append(...buttons.values());
  app.append(
    clean.box,
    element("div", {}, group("factor", row, change), drawing),
    stage(pictures, says),
  );
  open(circuit);
});
