// Numbers and matrices: as text, as tables, as small pictures.

import { colour } from "../plots.js";

/** A number with four digits. */
export function digits(value) {
  if (value === null || !Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return (size >= 1e5 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(4)))).replace("-", "−");
}

/** The rows of an array of up to two axes. */
export function rowsOf(value) {
  if (!Array.isArray(value)) return [[value]];
  return Array.isArray(value[0]) ? value : [value];
}

/** A shape in words. */
export function shapeText(shape) {
  return shape.length ? shape.join(" × ") : "a number";
}

/** The shape of an array. */
export function shapeOf(value) {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0] ?? 0)] : [];
}

/** The largest entry, by which colours are scaled. */
export const largest = (value) => Math.max(...rowsOf(value).flat().map((v) => Math.abs(v) || 0), 1e-12);

/** A table of an array, each entry in its colour. */
export function tableOf(name, value) {
  const table = document.createElement("table"), most = largest(value);
  const caption = table.createCaption(), small = document.createElement("small");
  small.textContent = ` ${shapeText(shapeOf(value))}`;
  caption.append(name, small);
  for (const row of rowsOf(value)) {
    const line = table.insertRow();
    for (const entry of row) {
      const cell = line.insertCell();
      cell.textContent = digits(entry);
      cell.style.background = colour(entry / most * 0.55);
    }
  }
  return table;
}
