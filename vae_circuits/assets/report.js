"use strict";

// What a cell is sorted by: its first number if it begins with one, otherwise its words.
function sortKey(cell) {
  const text = cell.textContent.trim().replace(/,(?=\d{3})/g, "");
  const number = parseFloat(text.replace("−", "-"));
  return Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1; // what is undefined comes last
  return a.localeCompare(b);
}

function sortBy(table, heading) {
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0],
    column = heading.cellIndex;
  const rows = Array.from(body.rows, (row) => ({ row, key: sortKey(row.cells[column]) }));
  const sign = (a, b) => (down && typeof a.key === typeof b.key ? -1 : 1);
  rows.sort((a, b) => sign(a, b) * compare(a.key, b.key));
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table")) {
  for (const heading of table.tHead.rows[table.tHead.rows.length - 1].cells) {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    button.title = "sort";
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
}

// A link to something folded opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
}

addEventListener("hashchange", unfold);
if (location.hash) unfold();

// The contents are open where there is room for them beside the page.
const contents = document.querySelector("nav details");
if (contents) contents.open = matchMedia("(min-width: 70rem)").matches;

// On paper everything is unfolded but the explorers, which need a screen.
let folded = [];
addEventListener("beforeprint", () => {
  folded = Array.from(document.querySelectorAll("main details:not([open]):not(.explorer)"));
  for (const part of folded) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
});
