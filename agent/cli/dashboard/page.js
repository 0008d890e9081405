// SPDX-License-Identifier: Apache-2.0
// Elements. Every text goes through a text node: models, programs and projects are named by strangers.
import { countText, parseMoney, splitMoney } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(4).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}
export const h = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
export const s = (name, attributes, ...children) => make(document.createElementNS(SVG, name), attributes, children);

// ---- figures: what the report says, with where it says it: rows that match `of`, summed over `member` ----

const where = (of, member) => JSON.stringify([of, member]);
export function money(text, of, member) {
  const nano = typeof text === "bigint" ? text : parseMoney(text);
  if (nano === null) return h("span", { class: "quiet" }, String(text ?? "–"));
  const [cents, rest] = splitMoney(nano);
  return h("span", { class: "money", "data-figure": of && where(of, member), "data-nano": String(nano) }, cents,
    rest && h("span", { class: "fine" }, rest));
}
export const count = (value, of, member) =>
  h("span", { class: "count", "data-figure": of && where(of, member), "data-count": String(value) }, countText(value));

// ---- pieces ----

export const badge = (text, kind) => h("span", { class: `badge ${kind ?? ""}` }, text);
export const nothing = text => h("p", { class: "nothing" }, text);

// columns: [title, is it a number, class]; rows: arrays of cells, the first one names the row. The roles are what a table
// has by itself, said for browsers that forget them when a narrow screen lays it out otherwise.
export function table(caption, columns, rows, options = {}) {
  const kind = index => [columns[index][1] && "number", columns[index][2]].filter(Boolean).join(" ") || null;
  const cell = (value, index) => (index === 0 ? h("th", { scope: "row", role: "rowheader", class: kind(index) }, value)
    : h("td", { role: "cell", class: kind(index) }, value));
  return h("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: 0, "data-key": `table ${caption}` },
    h("table", { class: options.class, role: "table" },
      h("caption", { class: "unseen" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map(([title], index) => h("th", { scope: "col", role: "columnheader", class: kind(index) }, title)))),
      h("tbody", { role: "rowgroup" }, rows.map(row => h("tr", { role: "row" }, row.map(cell))))));
}

// A bar of `percent`; what it says stands beside it in words.
export function meter(percent, kind) {
  const width = Math.max(0, Math.min(100, percent));
  return s("svg", { class: `meter ${kind ?? ""}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rail", width: 100, height: 4 }), s("rect", { class: "fill", width, height: 4 }));
}

export function tile(title, value, note) {
  return h("div", { class: "tile" }, h("dt", null, title), h("dd", null, value, note && h("span", { class: "note" }, note)));
}

export const panel = (title, ...children) => h("div", { class: "card" }, title && h("h3", null, title), ...children);

// Puts new children into `place`, and the keyboard back to where it was.
export function replace(place, ...children) {
  const active = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const scrolls = [...place.querySelectorAll(".scroll")].map(box => [box.scrollLeft, box.scrollTop]);
  place.replaceChildren(...children.flat(4).filter(Boolean));
  place.querySelectorAll(".scroll").forEach((box, index) => { [box.scrollLeft, box.scrollTop] = scrolls[index] ?? [0, 0]; });
  if (active) place.querySelector(`[data-key="${CSS.escape(active)}"]`)?.focus({ preventScroll: true });
}

export function say(text) {
  document.getElementById("said").textContent = text;
}
