"use strict";

const body = document.querySelector("tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("th")];
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// --- sorting: a click sorts upwards, another one downwards; what has no value stays at the end

function value(row, column, isNumber) {
  const text = row.cells[column].dataset.sort;
  if (text === undefined || text === "") return null;
  return isNumber ? Number(text) : text;
}

function sort(column) {
  const head = heads[column];
  const up = head.getAttribute("aria-sort") !== "ascending";
  const isNumber = head.classList.contains("number");
  const compare = (a, b) => (isNumber ? a - b : collator.compare(a, b));
  const keyed = rows.map((row) => [value(row, column, isNumber), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return up ? compare(a, b) : compare(b, a);
  });
  for (const other of heads) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...keyed.map(([, row]) => row));
}

heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));

// --- filtering: a row stays that has every word, and the plots of every model that has a row

const filter = document.getElementById("filter");
const count = document.getElementById("count");
const read = (row) => [...row.cells].map((cell) => cell.textContent).join(" ");
const texts = new Map(rows.map((row) => [row, read(row).toLowerCase()]));

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const models = new Set();
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => texts.get(row).includes(word));
    if (row.hidden) continue;
    shown += 1;
    models.add(row.dataset.model);
  }
  for (const card of document.querySelectorAll("article")) card.hidden = !models.has(card.dataset.model);
  count.textContent = `${shown} of ${rows.length} version${rows.length === 1 ? "" : "s"}`;
}

filter.addEventListener("input", show);
show();

// --- what a point of a plot says

const tip = document.getElementById("tip");

function open(point) {
  tip.textContent = point.getAttribute("aria-label");
  tip.hidden = false;
  const at = point.querySelector(".dot").getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const middle = at.left + at.width / 2 - box.width / 2;
  const above = at.top - box.height - 10;
  tip.style.left = `${Math.max(8, Math.min(middle, innerWidth - box.width - 8))}px`;
  tip.style.top = `${above < 8 ? at.bottom + 10 : above}px`;
}

function close() {
  tip.hidden = true;
  for (const point of document.querySelectorAll(".near")) point.classList.remove("near");
}

function nearest(plot, x) {
  const away = (point) => {
    const at = point.querySelector(".dot").getBoundingClientRect();
    return Math.abs(at.left + at.width / 2 - x);
  };
  return [...plot.querySelectorAll(".point")].reduce((a, b) => (away(b) < away(a) ? b : a));
}

for (const plot of document.querySelectorAll("svg")) {
  plot.addEventListener("mousemove", (event) => {
    const point = nearest(plot, event.clientX);
    close();
    point.classList.add("near");
    open(point);
  });
  plot.addEventListener("mouseleave", close);
  plot.addEventListener("click", close);
}
for (const point of document.querySelectorAll(".point")) {
  point.addEventListener("focus", () => open(point));
  point.addEventListener("blur", close);
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape") close();
});
