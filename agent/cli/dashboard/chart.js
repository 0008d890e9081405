// SPDX-License-Identifier: Apache-2.0
// Stacked bars over time: SVG, for the mouse, for the keyboard (arrow keys, Home, End), and as a table.
import { h, s, say } from "./page.js";

const HEIGHT = 230, LEFT = 62, BOTTOM = 26, TOP = 10, RIGHT = 6;

// The round step of which at most four fit: 1, 2 or 5 times a power of ten.
function axisStep(most) {
  for (let power = 1n; ; power *= 10n)
    for (const factor of [1n, 2n, 5n]) if (factor * power * 4n >= most) return factor * power;
}

// Which bar was looked at when new figures came: its label and when it begins.
const looked = { label: "", start: -1 };

// chart: {label, steps: [ms], series: [{name, kind, values: [BigInt]}], axis(BigInt), value(BigInt), tick(ms), title(ms)}
export function stackedBars(chart) {
  const totals = chart.steps.map((_, i) => chart.series.reduce((sum, one) => sum + one.values[i], 0n));
  const most = totals.reduce((max, total) => (total > max ? total : max), 0n);
  const plot = h("div", { class: "plot" });
  const hint = h("div", { class: "hover", hidden: true, "aria-hidden": "true" });
  const box = h("div", { class: "chart", tabindex: 0, role: "group", "data-key": chart.key,
    "aria-label": `${chart.label}. Arrow keys go from bar to bar.` }, plot, hint);
  let active = looked.label === chart.label ? chart.steps.indexOf(looked.start) : -1, geometry = null;

  function draw() {
    const width = Math.max(240, box.clientWidth);
    const inner = width - LEFT - RIGHT, tall = HEIGHT - TOP - BOTTOM;
    const step = axisStep(most > 0n ? most : 1n), top = step * ((most + step - 1n) / step || 1n);
    const y = value => TOP + tall - (Number((value * 100000n) / top) / 100000) * tall;
    const slot = inner / chart.steps.length, thick = Math.max(1, Math.min(44, slot * 0.72));
    const nodes = [];
    for (let value = 0n; value <= top; value += step)
      nodes.push(s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
        s("text", { class: "axis", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, chart.axis(value)));
    const every = Math.ceil(chart.steps.length / Math.max(1, Math.floor(inner / 58)));
    chart.steps.forEach((start, i) => {
      const x = LEFT + slot * i;
      if (i % every === 0)
        nodes.push(s("text", { class: "axis", x: x + slot / 2, y: HEIGHT - 8, "text-anchor": "middle" }, chart.tick(start)));
      let below = 0n;
      const bars = chart.series.map(one => {
        const from = below;
        below += one.values[i];
        const height = y(from) - y(below);
        return one.values[i] > 0n &&
          s("rect", { class: `brick ${one.kind}`, x: x + (slot - thick) / 2, y: y(below), width: thick, height: Math.max(height - 1, 0.75) });
      });
      nodes.push(s("g", { "data-step": i }, s("rect", { class: "reach", x, y: TOP, width: slot, height: tall }), bars));
    });
    geometry = { slot, width };
    plot.replaceChildren(s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" }, nodes));
    show(active);
  }

  function lines(i) {
    return chart.series.filter(one => one.values[i] !== 0n).map(one => [one, chart.value(one.values[i])]);
  }
  function show(i, aloud) {
    plot.querySelector(".active")?.classList.remove("active");
    active = i;
    hint.hidden = i < 0;
    if (i >= 0 || looked.label === chart.label) [looked.label, looked.start] = [i < 0 ? "" : chart.label, chart.steps[i]];
    if (i < 0) return;
    plot.querySelector(`[data-step="${i}"]`)?.classList.add("active");
    const listed = lines(i);
    hint.replaceChildren(h("strong", null, chart.title(chart.steps[i])),
      ...(listed.length > 1 ? [h("div", { class: "sum" }, h("span", null, "together"), h("b", null, chart.value(totals[i])))] : []),
      ...(listed.length ? listed.reverse().map(([one, text]) =>
        h("div", null, h("i", { class: `swatch ${one.kind}` }), h("span", { class: "name" }, one.name), h("b", null, text))) : ["nothing"]));
    // Beside its bar: to the right where there is room.
    const [from, to, wide] = [LEFT + geometry.slot * i, LEFT + geometry.slot * (i + 1), hint.offsetWidth];
    const left = to + 8 + wide <= geometry.width ? to + 8 : from - 8 - wide;
    hint.style.left = `${Math.max(0, Math.min(geometry.width - wide, left))}px`;
    if (aloud)
      say(`${chart.title(chart.steps[i])}: ${chart.value(totals[i])}. ` + listed.map(([one, text]) => `${one.name} ${text}`).join(", "));
  }

  box.addEventListener("keydown", event => {
    const last = chart.steps.length - 1;
    const moves = { ArrowRight: Math.min(last, active + 1), ArrowLeft: Math.max(0, active < 0 ? last : active - 1), Home: 0, End: last };
    if (event.key === "Escape") show(-1);
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key], true);
  });
  for (const kind of ["pointermove", "pointerdown"])
    plot.addEventListener(kind, event => {
      const step = event.target.closest("[data-step]");
      if (step) show(Number(step.dataset.step));
    });
  box.addEventListener("pointerleave", event => { if (event.pointerType !== "touch" && box.isConnected) show(-1); });
  box.addEventListener("blur", () => { if (box.isConnected) show(-1); });
  new ResizeObserver(() => { if (geometry?.width !== Math.max(240, box.clientWidth)) draw(); }).observe(box);
  return box;
}
