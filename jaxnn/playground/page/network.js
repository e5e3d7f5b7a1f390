// The drawing of the network: nodes with their maps, lines for weights, squares for biases.

import { drawMap, lineColour } from "./plots.js";

export const FEATURES = {
  x: ["X₁", (x, y) => x], y: ["X₂", (x, y) => y], xSquared: ["X₁²", (x, y) => x * x], ySquared: ["X₂²", (x, y) => y * y],
  xTimesY: ["X₁X₂", (x, y) => x * y], sinX: ["sin(X₁)", (x, y) => Math.sin(x)], sinY: ["sin(X₂)", (x, y) => Math.sin(y)],
};
const NODE = 36, TOP = 84, LEFT = 62, PITCH = 51, SMALL = 10, CALLOUT = 132;
const MANY = 600; // lines: from then on they are straight and without dashes, for the frames' sake
const dark = matchMedia("(prefers-color-scheme: dark)");

/** A feature's values over the plane as bytes, `side` pixels square. */
export function featureMap(name, side) {
  const bytes = new Uint8Array(side * side), at = (i) => -6 + 12 * (i + (side < 100 ? 0.5 : 0)) / (side < 100 ? side : side - 1);
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      const value = FEATURES[name][1](at(j), -at(i));
      bytes[i * side + j] = Math.round((Math.max(-1, Math.min(1, value)) + 1) * 127.5);
    }
  }
  return bytes;
}

const element = (tag, attributes, parent) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent?.append(made);
  return made;
};

export class NetworkView {
  /** `act` has what the drawing asks for: show, toggle, resize, activation, choose, edit. */
  constructor(root, act, about) {
    this.atlases = [0, 1].map(() => document.createElement("canvas")); // of the features' small maps and of the nodes'
    Object.assign(this, { root, act, about, svg: root.querySelector("svg"), lines: root.querySelector(".lines"), card: root.querySelector("#hovercard") });
    this.links = [];
    this.card.querySelector("input").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.act.edit(...this.edited, this.before);
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault(); // the square that gets the focus back is not pressed by the same key
      this.hideCard(true);
    });
    this.card.querySelector("input").addEventListener("input", (event) => {
      const value = event.target.valueAsNumber;
      if (Number.isFinite(value)) this.act.edit(...this.edited, value);
    });
    for (const [type, edit] of [["pointerover", false], ["click", true]]) {
      this.svg.addEventListener(type, (event) => {
        const weight = event.target.dataset?.weight?.split(",").map(Number), box = this.root.getBoundingClientRect();
        if (!weight || (this.editing && !edit)) return;
        this.openCard(weight, event.clientX - box.left + 14, event.clientY - box.top + 4, edit);
        if (edit) this.act.choose(...weight);
      });
    }
    this.svg.addEventListener("pointerout", () => this.editing || this.hideCard());
    document.addEventListener("pointerdown", (event) => {
      if (!this.card.contains(event.target) && !event.target.closest?.(".hit, .bias")) this.hideCard();
    });
  }

  /** Show a set-up; what is there is left where only the activations differ. */
  build(config, features) {
    const focused = document.activeElement?.id, sizes = [features.length, ...config.networkShape, 1], room = this.root.parentElement.clientWidth;
    const built = JSON.stringify([room, devicePixelRatio, features, config.networkShape, config.hide]);
    this.hideCard();
    if (built !== this.built) this.rebuild(config, features, sizes, room);
    this.built = built;
    this.selects.forEach((select, i) => { select.value = config.activations[i] ?? config.activation; });
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  rebuild(config, features, sizes, room) {
    this.root.querySelectorAll(".node, .bias, .feature-label, .layer-controls, .bracket").forEach((old) => old.remove());
    const many = sizes.slice(1).reduce((sum, size, i) => sum + size * sizes[i], 0) >= MANY;
    Object.assign(this, { sizes, features, many, links: [], hits: [], tiles: [[], []], biases: [], selects: [], frame: null });
    const names = Object.keys(FEATURES).filter((name) => !config.hide.includes(name));
    const hidden = config.networkShape.length, most = Math.max(names.length, ...sizes);
    const width = Math.max(room - 4, LEFT + 2 * NODE + PITCH * (hidden + 1));
    const gap = Math.max(NODE + 8, Math.min(55, 440 / most)), left = LEFT + NODE, right = width - NODE;
    const pitch = (right - left) / (hidden + 1);
    const column = (layer) => layer > hidden ? right : left + (right - left) * layer / (hidden + 1) - (layer ? NODE / 2 : 0);
    const place = (layer, i) => [layer ? column(layer) : LEFT, TOP + i * gap];
    const row = (layer, i) => layer ? i : names.indexOf(features[i]);
    this.root.style.width = `${width}px`;
    this.root.style.height = `${TOP + most * gap}px`;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", TOP + most * gap);
    const ratio = devicePixelRatio || 1;
    Object.assign(this.lines, { width: width * ratio, height: (TOP + most * gap) * ratio });
    this.lines.getContext("2d").scale(ratio, ratio);
    if (hidden > 1) Object.assign(element("div", { class: "bracket" }, this.root).style, { left: `${column(1) + NODE / 2}px`, width: `${column(hidden) - column(1)}px` });
    names.forEach((name, i) => this.feature(name, place(0, i), config));
    this.featureMaps = new Uint8Array(names.flatMap((name) => [...featureMap(name, 10)]));
    for (let layer = 1; layer < sizes.length; layer++) {
      if (layer <= hidden) this.controls(layer, column(layer), config, pitch);
      for (let node = 0; node < sizes[layer]; node++) {
        this.node(layer, node, place(layer, node), hidden);
        for (let source = 0; source < sizes[layer - 1]; source++) {
          this.link(layer - 1, node, source, place(layer - 1, row(layer - 1, source)), place(layer, node), sizes[layer - 1]);
        }
      }
    }
    this.callouts(sizes, place, gap, pitch);
    this.svg.replaceChildren();
    clearTimeout(this.later);
    this.later = setTimeout(() => { this.svg.innerHTML = this.hits.join(""); }, many ? 200 : 0); // first what is seen, then what is touched
  }

  // As the original has them: at the last neuron of the first layer under which there is room, and at a line.
  callouts(sizes, place_, gap, pitch) {
    const [node, weight] = ["node", "weight"].map((name) => document.getElementById(`callout-${name}`));
    const hidden = sizes.length - 2, room = hidden > 0 && hidden < 5 && pitch > CALLOUT && Math.max(...sizes.slice(1)) < 7;
    node.hidden = weight.hidden = !room;
    if (!room) return;
    const [x, y] = place_(1, sizes[1] - 1), layer = hidden > 1 ? 2 : 1, last = sizes[layer + (hidden > 1 ? 0 : 1)] - 1;
    place(node, x + NODE / 2, y + NODE + 14);
    const from = place_(layer - (hidden > 1 ? 1 : 0), sizes[layer - (hidden > 1 ? 1 : 0)] - 1), to = place_(layer + (hidden > 1 ? 0 : 1), last);
    const along = sizes[1] > last + 1 ? 0.72 : 0.5, [x1, y1, x2, y2] = [from[0] + NODE, from[1] + NODE / 2, to[0], to[1] + NODE / 2];
    const share = along ** 2 * (3 - 2 * along); // of the way down, on the line's curve
    place(weight, Math.max(x1 + (x2 - x1) * along, x + NODE / 2 + (y1 + (y2 - y1) * share > y - 30 ? CALLOUT : 0)), y1 + (y2 - y1) * share + 18);
  }

  feature(name, [x, y], config) {
    const label = element("span", { class: "feature-label", "aria-hidden": "true" }, this.root);
    label.textContent = FEATURES[name][0];
    place(label, 4, y);
    const on = config[name];
    const button = element("button", { class: on ? "node" : "node off", id: `node-${name}`, "aria-pressed": on, "aria-label": `Feature ${FEATURES[name][0]}` }, this.root);
    place(button, x, y);
    this.tiles[0].push([x, y, on ? 1 : 0.45]);
    button.addEventListener("click", () => this.act.toggle(name, !on));
    this.watch(button, () => this.act.showFeature(name));
  }

  node(layer, node, [x, y], hidden) {
    const output = layer > hidden, called = output ? "Output" : `Layer ${layer}, neuron ${node + 1}`;
    const button = element("button", { class: "node", id: `node-${layer}-${node}`, "aria-label": `${called}: show its map` }, this.root);
    place(button, x, y);
    this.tiles[1].push([x, y, 1]);
    this.watch(button, () => this.act.show(layer, node));
    const bias = element("button", { class: "bias", id: `bias-${layer}-${node}`, "aria-label": `Bias of ${called}: edit` }, this.root);
    place(bias, x - 12, y + NODE - 10);
    const open = (edit) => this.openCard([layer - 1, node, null], x - 8, y + NODE, edit);
    bias.addEventListener("pointerenter", () => this.editing || open(false));
    bias.addEventListener("pointerleave", () => this.editing || this.hideCard());
    bias.addEventListener("click", () => open(true));
    this.biases.push(bias);
  }

  link(layer, node, source, from, to, count) {
    const [x1, y1] = [from[0] + NODE + 2, from[1] + NODE / 2];
    const [x2, y2] = [to[0] - 2, to[1] + NODE / 2 + (source - (count - 1) / 2) / count * 14], middle = (x1 + x2) / 2;
    const d = this.many ? `M${x1},${y1}L${x2},${y2}` : `M${x1},${y1}C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
    this.hits.push(`<path class="hit" d="${d}" data-weight="${layer},${node},${source}"/>`);
    this.links.push(new Path2D(d));
  }

  controls(layer, x, config, pitch) {
    const box = element("div", { class: "layer-controls" }, this.root), nodes = element("span", { class: `ui-numNodes${layer}` }, box), count = config.networkShape[layer - 1];
    const width = Math.min(76, pitch);
    Object.assign(box.style, { left: `${x + NODE / 2 - width / 2}px`, width: `${width}px` });
    for (const [sign, step, words] of [["+", 1, "Add a neuron to"], ["−", -1, "Remove a neuron from"]]) {
      const button = element("button", { class: "small", id: `neurons${step}-${layer}`, "aria-label": `${words} layer ${layer}` }, nodes);
      button.textContent = sign;
      button.disabled = count + step < 1 || count + step > this.about.nodes;
      button.addEventListener("click", () => this.act.resize(layer, step));
    }
    element("div", {}, box).textContent = pitch < 64 ? count : `${count} neuron${count === 1 ? "" : "s"}`;
    const select = element("select", { class: "ui-activation", id: `activation-${layer}`, "aria-label": `Activation of layer ${layer}` }, box);
    for (const name of this.about.activations) {
      const option = element("option", { value: name }, select);
      option.textContent = name;
    }
    select.style.width = `${width - 4}px`;
    this.selects.push(select);
    select.addEventListener("change", () => this.act.activation(layer, select.value));
  }

  watch(button, show) {
    button.addEventListener("pointerenter", show);
    button.addEventListener("focus", show);
    button.addEventListener("pointerleave", () => document.activeElement === button || this.act.showOutput());
    button.addEventListener("blur", () => this.act.showOutput());
  }

  /** Draw a frame: the weights, the biases, the maps. */
  draw(frame, discrete, still) {
    Object.assign(this, { frame, discrete, still });
    this.redraw();
    frame.biases.forEach((bias, i) => { this.biases[i].style.background = lineColour(bias, dark.matches); });
    if (!this.card.hidden && !this.editing) this.fillCard();
  }

  // All on one canvas: each further one takes a millisecond of every frame.
  redraw() {
    const context = this.lines.getContext("2d");
    context.clearRect(0, 0, this.lines.width, this.lines.height);
    this.drawLines(context);
    this.atlases.forEach((atlas, i) => this.drawTiles(context, atlas, this.tiles[i], i ? this.frame.nodes : this.featureMaps));
  }

  drawTiles(context, atlas, tiles, bytes) {
    atlas.width = SMALL;
    atlas.height = SMALL * tiles.length;
    drawMap(atlas, bytes, this.discrete);
    tiles.forEach(([x, y, alpha], i) => {
      context.globalAlpha = alpha;
      context.drawImage(atlas, 0, SMALL * i, SMALL, SMALL, x + 2, y + 2, NODE - 4, NODE - 4);
    });
    context.globalAlpha = 1;
  }

  drawLines(context) {
    const { weights, alive, epoch } = this.frame, dead = getComputedStyle(this.root).getPropertyValue("--dead");
    context.lineDashOffset = this.still ? 0 : -epoch / 3 % 1000;
    this.links.forEach((path, i) => {
      const chosen = i === this.marked;
      context.setLineDash(alive[i] ? (this.many ? [] : [8, 2]) : [2, 4]);
      context.strokeStyle = chosen ? (dark.matches ? "#ff6fa5" : "#c2185b") : alive[i] ? lineColour(weights[i], dark.matches) : dead;
      context.lineWidth = alive[i] || chosen ? 1 + 9 * Math.min(1, Math.abs(weights[i]) / 5) + (chosen ? 1 : 0) : 1.5;
      context.stroke(path);
    });
  }

  /** The value of a weight, or with no source of a bias. */
  value(layer, node, source) {
    const before = this.sizes.slice(1, layer + 1).reduce((a, b) => a + b, 0);
    if (source === null) return this.frame?.biases[before + node];
    return this.frame?.weights[this.index(layer, node, source)];
  }

  index(layer, node, source) {
    let start = 0;
    for (let l = 0; l < layer; l++) start += this.sizes[l] * this.sizes[l + 1];
    return start + node * this.sizes[layer] + source;
  }

  mark(chosen) {
    this.marked = chosen ? this.index(...chosen) : -1;
    if (this.frame) this.redraw();
  }

  openCard(which, x, y, edit) {
    this.edited = which;
    this.editing = edit;
    this.card.hidden = false;
    this.card.classList.toggle("editing", edit);
    this.fillCard();
    this.beside(x, y);
    if (edit) {
      const input = this.card.querySelector("input");
      this.before = this.value(...which);
      input.value = shortly(this.before);
      input.focus();
      input.select();
    }
  }

  /** Put the card at a place, or next to it, where it hides no node. */
  beside(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.card, nodes = this.tiles.flat(), most = this.root.clientWidth - width;
    const hidden = ([left, top]) => nodes.filter(([a, b]) => left < a + NODE + 3 && a - 14 < left + width && top < b + NODE + 3 && b - 3 < top + height).length;
    const spots = [0, 16, 34, -16, 52].flatMap((down) => [x, x - width - 28, x - width / 2].flatMap((left) => [[left, y + down], [left, y - height - 12 - down]]))
      .map(([left, top]) => [Math.max(0, Math.min(left, most)), Math.max(0, top)]);
    place(this.card, ...spots.reduce((best, spot) => hidden(spot) < hidden(best) ? spot : best));
  }

  fillCard() {
    this.card.querySelector(".type").textContent = this.edited[2] === null ? "Bias" : "Weight";
    this.card.querySelector(".value").textContent = shortly(this.value(...this.edited));
  }

  hideCard(back = false) {
    this.card.hidden = true;
    this.editing = false;
    if (back && this.edited[2] === null) document.getElementById(`bias-${this.edited[0] + 1}-${this.edited[1]}`)?.focus();
  }
}

/** Two significant digits, as in the original. */
export const shortly = (value) => value === undefined ? "–" : String(Number(value.toPrecision(2)));

function place(node, x, y) {
  node.style.left = `${x}px`;
  node.style.top = `${y}px`;
}
