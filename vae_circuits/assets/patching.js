start(() => {
  const names = ["clean", "clean, rebuilt", "patched", "donor, rebuilt", "donor"],
    pictures = names.map(picture),
    says = element("p", { role: "status" });
  const chosen = Object.fromEntries(plan.sites.map((s) => [s.name, new Set()])),
    buttons = {},
    table = element("tbody"),
    units = element("div", { class: "units", role: "group" });
  let site = plan.sites[0],
    runs = [];
  const edit = (s) => (a) => {
    // a copy of the clean activation in which the chosen units are the donor's
    const out = a.slice(),
      other = runs[1][s.name],
      n = a.length / s.units;
    for (const u of chosen[s.name]) out.set(other.subarray(u * n, u * n + n), u * n);
    return out;
  };
  const count = () => plan.sites.reduce((n, s) => n + chosen[s.name].size, 0);
  const update = each(() => {
    const edits = Object.fromEntries(
        plan.sites.filter((s) => chosen[s.name].size).map((s) => [s.name, edit(s)]),
      ),
      [a, b] = runs,
      end = plan.begin ? "recon" : "z";
    const patched = run({}, edits, a),
      way = b[end].map((v, i) => v - a[end][i]),
      step = patched[end].map((v, i) => v - a[end][i]);
    show(pictures[2], patched.recon);
    table.replaceChildren(
      ...plan.latents.map((name, i) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          ...[a, patched, b].map((r) => element("td", {}, r.z[i].toFixed(2))),
        ),
      ),
    );
    const size = norm(way) ** 2,
      share = step.reduce((t, v, i) => t + v * way[i], 0) / size;
    says.textContent =
      size > 0
        ? `${count()} units patched: the ${plan.begin ? "picture" : "latents"} went ` +
          `${(100 * share).toFixed(0)}% of the way from clean to donor`
        : `clean and donor are the same to the ${plan.begin ? "decoder" : "encoder"}`;
    for (const s of plan.sites)
      buttons[s.name].textContent = `${s.name} (${chosen[s.name].size} of ${s.units})`;
  });
  const press = (u, b) => {
    const set = chosen[site.name];
    if (!set.delete(u)) set.add(u);
    b.setAttribute("aria-pressed", set.has(u));
    update();
  };
  const open = (s) => {
    site = s;
    for (const other of plan.sites) buttons[other.name].setAttribute("aria-pressed", other === s);
    units.setAttribute("aria-label", `units of ${s.name}`);
    units.replaceChildren(
      ...Array.from({ length: s.units }, (_, u) => {
        const b = element("button", {
            type: "button",
            "aria-pressed": chosen[s.name].has(u),
            "aria-label": `${s.name}[${u}]`,
          }),
          small = map(s, u);
        b.append(...(small ? [small] : []), `${u}`);
        b.addEventListener("click", () => press(u, b));
        return b;
      }),
    );
  };
  const map = (s, u) => {
    if (s.plane.length !== 2) return null;
    const n = s.plane[0] * s.plane[1],
      a = runs[0][s.name],
      canvas = element("canvas", { width: s.plane[1], height: s.plane[0], "aria-hidden": "true" });
    let top = 1e-6;
    for (const v of a) top = Math.max(top, Math.abs(v));
    fill(canvas, (i) => {
      const v = (255 * Math.abs(a[u * n + i])) / top;
      return [v, v, v];
    });
    return canvas;
  };
  const load = () => {
    runs = [clean, donor].map((c) => run(opening(c.row)));
    [stored(clean.row), runs[0].recon, null, runs[1].recon, stored(donor.row)].forEach(
      (image, i) => {
        if (image) show(pictures[i], image);
      },
    );
    open(site);
    update();
  };
  const all = (keep) => () => {
    for (let u = 0; u < site.units; u++)
      if (keep) chosen[site.name].add(u);
      else chosen[site.name].delete(u);
    open(site);
    update();
  };
  const clean = chooser("clean", plan.start[0], load),
    donor = chooser("donor", plan.start[1], load);
  for (const s of plan.sites)
    buttons[s.name] = element("button", { type: "button", onclick: () => open(s) });
  const row = element("div", {
    class: "sites",
    role: "group",
    "aria-label": "sites, from the image to the reconstruction",
  });
  plan.sites.forEach((s, i) => row.append(...(i ? ["→"] : []), buttons[s.name]));
  const tools = [
    ["Patch all of the site", true],
    ["Patch none of it", false],
  ].map(([text, keep]) => element("button", { type: "button", onclick: all(keep) }, text));
  const head = element(
    "tr",
    {},
    ...["latent", "clean", "patched", "donor"].map((t) => element("th", { scope: "col" }, t)),
  );
  app.append(
    clean.box,
    donor.box,
    ...(plan.begin ? [] : [element("table", {}, element("thead", {}, head), table)]),
    element("div", { class: "wide" }, row, units, ...tools),
    stage(pictures, says),
  );
  load();
});
