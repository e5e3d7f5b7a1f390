// The forward pass as a graph: a box for each variable with its values, and its adjoint as soon as it is right.

import { colour } from "../plots.js";
import { digits, largest, rowsOf, shapeOf } from "./numbers.js";

const SVG = "http://www.w3.org/2000/svg", HEAD = 22, FOOT = 8, GAP = 30, EDGE = 6;

function make(kind, attributes, parent, text) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

/** Draw the graph of a level into an element; `choose` hears which variable is chosen. */
export function drawGraph(root, level, choose) {
  const { x, widths, layers, lines, cell } = level.graph, tall = (name) => HEAD + FOOT + bodyHeight(level.values[name], cell);
  const top = {}, bands = []; // a line that passes a layer keeps straight from its top to its foot
  let y = EDGE;
  for (const layer of layers) {
    const most = Math.max(...layer.map(tall), 20);
    for (const name of layer) top[name] = y + (most - tall(name)) / 2;
    bands.push([y, y + most]);
    y += most + GAP;
  }
  const width = Math.max(...Object.keys(x).map((name) => x[name] + widths[name] / 2)) + EDGE, height = y - GAP + EDGE;
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "none" });
  const layerOf = Object.fromEntries(layers.flatMap((layer, i) => layer.map((name) => [name, i])));
  for (const line of lines) {
    const points = [[x[line.from], top[line.from] + tall(line.from)], ...line.by.flatMap((at, i) => bands[layerOf[line.from] + 1 + i].map((height) => [at, height])), [x[line.to], top[line.to]]];
    make("path", { class: "edge", d: curve(points), "data-from": line.from, "data-to": line.to }, svg);
  }
  for (const asked of level.asked) { // the derivative of a step stands on its line
    const [of, by] = asked.meaning, line = lines.find((one) => one.from === by && one.to === of);
    if (of === level.code.at(-1).name && !asked.name.startsWith(`d${of}d`)) continue;
    if (!line || !asked.name.endsWith(`d${by}`) || asked.name === `d${by}`) continue;
    const at = [(x[by] + x[of]) / 2, (top[by] + tall(by) + top[of]) / 2];
    make("text", { class: "slope", x: at[0], y: at[1] + 4, "text-anchor": "middle", "data-slope": asked.name, visibility: "hidden" }, svg, digits(level.adjoints[asked.name]));
  }
  for (const name of Object.keys(x)) drawNode(svg, level, name, x[name], top[name], widths[name], tall(name), cell, choose);
  root.replaceChildren(svg);
}

/** Show which adjoints are known: `right` are the names of the lines that are right. */
export function showRight(root, level, right) {
  const cost = level.code.at(-1).name, knows = (name) => right.has(`d${name}`) || right.has(`d${cost}d${name}`) || name === cost;
  for (const node of root.querySelectorAll(".node")) {
    const known = knows(node.dataset.name) && node.dataset.name !== cost;
    node.classList.toggle("known", known);
    node.querySelector(".adjoint")?.setAttribute("visibility", known ? "visible" : "hidden");
    node.querySelector(".hole")?.setAttribute("visibility", known ? "hidden" : "visible");
  }
  for (const edge of root.querySelectorAll(".edge")) edge.classList.toggle("back", knows(edge.dataset.from) && knows(edge.dataset.to));
  for (const slope of root.querySelectorAll(".slope")) slope.setAttribute("visibility", right.has(slope.dataset.slope) ? "visible" : "hidden");
}

const bodyHeight = (value, cell) => shapeOf(value).length ? rowsOf(value).length * cell : 15;

function drawNode(svg, level, name, x, y, width, height, cell, choose) {
  const value = level.values[name], shape = shapeOf(value), kind = level.params.includes(name) ? "param" : level.code.some((line) => line.name === name) ? "" : "data";
  const node = make("g", { class: `node ${kind}`, tabindex: 0, role: "button", "data-name": name }, svg);
  make("rect", { class: "box", x: x - width / 2, y, width, height, rx: 5 }, node);
  make("text", { x: x - width / 2 + 8, y: y + 15 }, node, name);
  if (shape.length) make("text", { class: "small", x: x + width / 2 - 8, y: y + 15, "text-anchor": "end" }, node, shape.join("×"));
  const adjoint = level.adjoints[`d${name}`] ?? level.adjoints[`d${level.code.at(-1).name}d${name}`];
  if (shape.length) {
    const wide = rowsOf(value)[0].length * cell;
    picture(node, value, x - wide - 3, y + HEAD, cell, "");
    if (adjoint !== undefined && kind !== "data") {
      make("rect", { class: "hole", x: x + 3, y: y + HEAD, width: wide, height: height - HEAD - FOOT }, node);
      picture(node, adjoint, x + 3, y + HEAD, cell, "adjoint");
    }
  } else {
    make("text", { class: "number", x: x - width / 2 + 8, y: y + HEAD + 11 }, node, digits(value));
    if (adjoint !== undefined && kind !== "data") make("text", { class: "number adjoint", x: x + width / 2 - 8, y: y + HEAD + 11, "text-anchor": "end" }, node, digits(adjoint));
  }
  node.onclick = () => choose(name);
  node.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(name);
  };
}

function picture(node, value, left, top, cell, kind) {
  const group = make("g", { class: kind }, node), most = largest(value);
  rowsOf(value).forEach((row, i) => row.forEach((entry, j) => {
    make("rect", { x: left + j * cell, y: top + i * cell, width: cell - 1, height: cell - 1, fill: colour(entry / most) }, group);
  }));
}

function curve(points) {
  let d = `M${points[0]}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i], bend = (y0 + y1) / 2;
    d += `C${x0},${bend} ${x1},${bend} ${x1},${y1}`;
  }
  return d;
}
