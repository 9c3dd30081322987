start(() => {
  const names = ["image", "rebuilt", "changed", "difference"],
    pictures = names.map(picture);
  const says = element("p", { role: "status" });
  let row = plan.start,
    before,
    home,
    rest;
  const box = group("latents");
  const handles = plan.latents.map((name, i) =>
    slider(
      box,
      name,
      { ...plan.reach[i], step: 0.05, value: 0 },
      (v) => v.toFixed(2),
      () => update(),
    ),
  );
  const load = () => {
    home = mean(row);
    before = run({ z: home }).recon;
    handles.forEach((h, i) => {
      h.value = home[i];
    });
    rest = handles.map((h) => h.value); // the nearest step
    show(pictures[0], stored(row));
    show(pictures[1], before);
  };
  const update = each(() => {
    // a slider left alone keeps the exact value
    const z = home.map((v, i) => (handles[i].value === rest[i] ? v : handles[i].value));
    const after = run({ z }).recon,
      change = after.map((v, i) => v - before[i]),
      size = norm(change);
    show(pictures[2], after);
    showDifference(pictures[3], change);
    let entropy = 0;
    for (const v of change) {
      const p = (v * v) / (size * size);
      if (p > 0) entropy -= p * Math.log(p);
    }
    const beyond = plan.latents.filter(
      (name, i) => z[i] !== home[i] && !(z[i] >= plan.own[i][0] && z[i] <= plan.own[i][1]),
    );
    says.textContent =
      (size > 0
        ? `effect strength ${size.toFixed(2)}, specificity ${(1 / (entropy + 1e-8)).toFixed(3)}`
        : "nothing is changed") +
      (beyond.length ? `; beyond the middle 95 % of its own codes: ${beyond.join(", ")}` : "");
  });
  const image = chooser("start image", row, (r) => {
    row = r;
    load();
    update();
  });
  box.append(
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          load();
          update();
        },
      },
      "Back to the image",
    ),
  );
  app.append(image.box, box, stage(pictures, says));
  load();
  update();
});
