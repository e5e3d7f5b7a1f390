// The page: what is seen of a session, and what a hand asks of it.

import { brush } from "./brush.js";
import { Chart } from "./chart.js";
import { Memory } from "./memory.js";
import { clear, say, unsay } from "./messages.js";
import { NetworkView, FEATURES, featureMap } from "./network.js";
import { showNetworks } from "./networks.js";
import { panels } from "./panels.js";
import { drawDisagreement, drawMap, drawPoints, drawThumbnail } from "./plots.js";
import { Connection } from "./socket.js";

const $ = (id) => document.getElementById(id);
const about = await (await fetch("about.json")).json();
const RATES = [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const SETS = { // their words; a set that has none here is called by its name
  circle: "Circle", xor: "Exclusive or", gauss: "Gaussian", spiral: "Spiral", "lecture-sigmoid": "Lecture, sigmoid",
  "lecture-circle": "Lecture, circle", "lecture-flower": "Lecture, flower", "reg-plane": "Plane", "reg-gauss": "Multi Gaussian", own: "Your own",
};
const PLUS = Array.from({ length: 33 }, (_, i) => i - 16).flatMap((t) => [[t / 6, 0.1, 1], [0, t / 6, 1]]); // a plus sign
const LARGE = $("heatmap").querySelector(".map"), DOTS = $("heatmap").querySelector(".points");
const COMPILING = "JAX is compiling the training: a few seconds, once.";
const EMPTY = "There are no training points yet: choose a colour above the map and draw, paste a table, or choose another set.";
const still = matchMedia("(prefers-reduced-motion: reduce)");

// `taking` counts the set-ups that are on their way: until they are here nothing trains. `training` and `changing` are the
// ends of two queues: of two presses in quick succession the second acts on what the first has made.
const page = {
  about, config: null, points: { train: [], test: [] }, shown: null, feature: null, chosen: null, point: 0,
  playing: false, goOn: false, training: Promise.resolve(), changing: Promise.resolve(), taking: 0, frame: null,
  chart: new Chart($("linechart"), $("chart-value")), told: 0,
};
page.connection = new Connection({ opened, lost, failed: (error) => say(error, "bad") });
page.memory = new Memory((request) => page.connection.ask(request, {}, true));
page.drawn = brush(DOTS, { draw: (points, done) => take("draw", { points }, "draw", done), choose: (x, y) => page.panels.nearest(x, y), redraw: drawDots });
page.view = new NetworkView($("network"), {
  show: (layer, node) => showLarge([layer, node]),
  showOutput: () => showLarge(null),
  showFeature: (name) => { page.feature = name; drawLarge(); },
  toggle: (name, on) => set(name, on),
  resize: (layer, more) => change("networkShape", (shape) => shape.map((count, i) => i === layer - 1 ? count + more : count)),
  activation: setActivation,
  choose: (...weight) => page.panels.choose(weight),
  edit: (layer, node, source, value) => edit(layer, node, source, value),
}, about);
page.panels = panels(page, { say, set, edit, take, refresh, open, after, pause, drawDots });

async function opened() {
  const again = page.config !== null, { last } = page.memory, known = last?.link === page.link ? last : null, { goOn } = page;
  page.goOn = false;
  await open(again ? page.link : location.hash, known, again ? page.memory.current : undefined);
  if (!again) return;
  const kept = known && page.frame?.epoch;
  say(`The connection is back. The network ${kept ? `goes on at epoch ${kept.toLocaleString("en")}` : "starts anew"}.`, "", null);
  if (goOn && kept) play();
}

function lost() {
  page.goOn ||= page.playing;
  pause();
  if (!document.querySelector(".lost")) {
    say("The connection to the playground was lost: is it still running? The page tries again each second.", "bad lost", null);
  }
}

/** Open a link; with `known` networks those go on where they were. `id` is its entry in the browser's history. */
async function open(link, known = null, id = undefined) {
  pause();
  clear();
  page.taking += 1;
  let answer = known && await page.connection.ask("resume", { link: known.link, kept: known.kept }, true);
  if (!answer || answer.error) answer = await page.connection.ask("open", { link });
  page.taking -= 1;
  if (answer.error) return showConfig();
  page.memory.arrived(answer.hash, id);
  await show(answer, answer.rows);
}

/** Ask for a change of the set-up and show what comes of it; `name` is what one step back takes back. */
async function take(request, values = {}, name = request, done = () => {}) {
  page.taking += 1;
  const before = page.frame && page.memory.now(), answer = await page.connection.ask(request, values);
  const networks = await before;
  page.taking -= 1;
  done();
  if (answer.error) return showConfig();
  page.memory.stepped(name, answer.hash, networks);
  await show(answer);
}

/** Show the set-up that a request answers with, and of a network that goes on the losses so far. */
async function show(answer, rows = []) {
  Object.assign(page, { config: answer.setup, features: answer.features, own: answer.own, link: answer.hash });
  answer.messages.forEach((message) => say(message, "bad"));
  (answer.notes ?? []).forEach((note) => say(note));
  if (answer.points) page.points = answer.points;
  if (page.points.train.length) unsay(EMPTY);
  else if (setOf(page.config) === "own") say(EMPTY);
  $("weight-point").max = page.points.train.length;
  const anew = answer.reset ?? true;
  if (anew) {
    pause();
    page.chart.reset();
    page.chart.add(rows);
    page.shown = page.feature = page.frame = null;
    page.panels.reset();
  }
  const frame = refresh(); // is on its way while the page is drawn
  showConfig();
  if (anew) build();
  drawDots();
  await frame;
  while (page.frame?.networks?.scores.length < page.config.networks && await refresh()); // of many networks, not all at once
}

function build() {
  page.view.build(page.config, page.features);
  page.view.mark(page.chosen);
  hide();
}

/** Change a setting; it goes as the text that a link would have: String([4, 2]) is "4,2". */
async function set(name, value) {
  await take("set", { name, value: String(value) }, name);
}

/** Do what changes the set-up from what it is once the changes before are done: a hand is faster than a busy machine. */
function after(act) {
  return page.changing = page.changing.then(act, act);
}

/** Change a setting by a function of what it is. */
function change(name, next) {
  return after(() => set(name, next(page.config[name])));
}

function setActivation(layer, name) {
  return change("activations", (own) => page.config.networkShape.map((_, i) => i === layer - 1 ? name : own[i] ?? page.config.activation));
}

async function edit(layer, node, source, value) {
  if (!(await page.connection.ask("edit", { layer, node, source, value })).error) await refresh();
}

/** Ask for a frame and show it; whether there was one. */
async function refresh(epochs = 0) {
  const [layer, node] = page.shown ?? [null, 0], told = !epochs || performance.now() - page.told > 250; // nobody reads faster
  const chain = told && page.chosen && page.points.train.length ? [...page.chosen, Math.min(page.point, page.points.train.length - 1)] : null;
  if (chain) page.told = performance.now();
  const slow = page.frame ? 0 : setTimeout(() => say(COMPILING, "", $("map-title")), 700);
  const answer = await page.connection.ask("frame", { epochs, layer, node, chain });
  clearTimeout(slow);
  unsay(COMPILING);
  if (answer.frame) draw(answer.frame);
  else pause();
  return Boolean(answer.frame);
}

function draw(frame) {
  const { config } = page;
  if (frame.sizes.join() !== page.view.sizes.join()) return; // of a network that is no more
  page.frame = frame;
  page.chart.add(frame.rows);
  page.chart.draw();
  page.view.draw(frame, config.discretize, still.matches);
  drawLarge();
  const [train, test, right, rightTest] = frame.now, digits = (value, n) => value === null ? "–" : value.toFixed(n);
  $("iter-number").textContent = String(frame.epoch).padStart(6, "0").replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  $("loss-train").textContent = digits(train, 3);
  $("loss-test").textContent = digits(test, 3);
  const percent = (value) => value === null ? "–" : `${(100 * value).toFixed(1)}\u00a0%`;
  $("accuracy-train").textContent = percent(right);
  $("accuracy-test").textContent = percent(rightTest);
  showNetworks(frame, config);
  if (frame.chain || !page.chosen) page.panels.chain(frame.chain);
  page.memory.soon(page.playing ? 1000 : 200);
  const button = $("play-pause-button");
  if (frame.diverged >= 0) {
    pause();
    say(`Diverged: the error was no longer finite after update ${frame.diverged.toLocaleString("en")}, in epoch ${frame.epoch + 1}. That epoch was taken back; lower the learning rate, or reset.`, "bad", button);
  } else if (page.playing && config.stopSolved && frame.solved) {
    pause();
    say(`Solved after ${frame.epoch.toLocaleString("en")} epochs.`, "good", button);
  } else if (page.playing && config.stopEpoch && frame.epoch >= config.stopEpoch && !frame.turn) {
    pause();
    say(`Stopped at epoch ${frame.epoch.toLocaleString("en")}.`, "", button);
  }
}

function drawLarge() {
  const { frame, config } = page;
  if (!frame) return;
  const title = page.feature ? `The feature ${FEATURES[page.feature][0]}` : page.shown ? `Layer ${page.shown[0]}, neuron ${page.shown[1] + 1}` : "The network’s output";
  $("map-title").textContent = title;
  drawMap(LARGE, page.feature ? featureMap(page.feature, 100) : frame.large, config.discretize);
  if (frame.shares && !page.feature && !page.shown) drawDisagreement(LARGE, frame.shares);
}

async function showLarge(node) {
  const output = page.config.networkShape.length + 1;
  page.feature = null;
  page.shown = node && node[0] < output ? node : null;
  if (!page.playing) await refresh();
}

/** The name of the set of points that is shown. */
const setOf = ({ problem, dataset, regDataset }) => problem === "regression" ? regDataset : dataset;

/** Whether nothing of a set is hidden: what one has drawn, and the points of the lecture's figures. */
const isWhole = (config) => setOf(config) === "own" || setOf(config).startsWith("lecture-");

function drawDots() {
  const { train, test } = page.points, chosen = page.chosen || page.picked ? train[Math.min(page.point, train.length - 1)] : null;
  const all = page.config.showTestData || isWhole(page.config);
  drawPoints(DOTS, [...train, ...page.drawn], all ? test : [], chosen);
}

async function play() {
  if (page.playing || !ready()) return;
  page.playing = true;
  showPlaying();
  await queue(run);
}

/** Train once what was to be trained before is done. */
function queue(train) {
  return page.training = page.training.then(train, train);
}

/** Train while the page plays, and then until every network has had its turn. */
async function run() {
  const more = () => page.playing || page.frame?.turn;
  while (more()) { // the next frame is asked for when the screen is ready: not in a tab that nobody sees
    await new Promise((go) => still.matches ? setTimeout(() => requestAnimationFrame(go), 200) : requestAnimationFrame(go));
    if (more() && !page.taking && !(await refresh(page.config.speed))) return;
  }
}

function pause() {
  page.playing = false;
  showPlaying();
}

function showPlaying() {
  $("play-pause-button").setAttribute("aria-pressed", page.playing);
  $("play-pause-button").classList.toggle("playing", page.playing);
}

async function step() {
  pause();
  if (!ready()) return;
  const { stopEpoch } = page.config;
  if (stopEpoch && page.frame?.epoch >= stopEpoch) say(`Stopped at epoch ${page.frame.epoch.toLocaleString("en")}.`);
  await queue(async () => { while (await refresh(1) && page.frame?.turn); });
}

/** Whether there is something to train on; if not, that is said. */
function ready() {
  const points = page.points.train.length > 0;
  if (page.config && !points) say(EMPTY, "bad");
  return page.config && points;
}

/** Have a value among a list's, a number in its order. */
function offer(list, value) {
  const options = [...list.options];
  if (!options.some((option) => option.value === String(value))) list.add(new Option(value, value), options.find((option) => Number(option.value) > value) ?? null);
}

/** Let a slider go as far, and as finely, as a value of a link asks. */
function widen(slider, value) {
  const [low, high, step] = slider.limits ??= [slider.min, slider.max, slider.step].map(Number), min = Math.min(low, value);
  Object.assign(slider, { min, max: Math.max(high, value), step: (value - min) % step === 0 && (low - min) % step === 0 ? step : value % 1 ? "any" : 1 });
  slider.previousElementSibling.querySelector(".value").textContent = value;
}

/** Set every control to the set-up. */
function showConfig() {
  const { config } = page;
  if (!config) return;
  for (const control of document.querySelectorAll("[data-name]")) {
    const value = config[control.dataset.name];
    if (control.type === "checkbox") control.checked = value;
    else {
      if (control.tagName === "SELECT") offer(control, value);
      if (control.type === "range") widen(control, value);
      if (document.activeElement !== control || control.type !== "number") control.value = control.placeholder ? value || "" : value;
    }
  }
  const count = config.networkShape.length;
  $("num-layers").textContent = count;
  $("layers-label").textContent = `hidden layer${count === 1 ? "" : "s"}`;
  $("add-layers").disabled = count >= about.hidden;
  $("remove-layers").disabled = count === 0;
  $("seed").textContent = config.seed;
  const regression = config.problem === "regression", chosen = setOf(config);
  for (const button of $("datasets").children) {
    const name = button.dataset.dataset;
    button.hidden = name !== "own" && name.startsWith("reg-") !== regression;
    button.setAttribute("aria-checked", name === chosen);
    button.tabIndex = name === chosen ? 0 : -1;
  }
  $("dataset-name").textContent = SETS[chosen] ?? chosen;
  $("stopSolved").disabled = regression;
  if (regression) $("stopSolved").checked = false;
  $("noise").disabled = $("show-test-data").disabled = isWhole(config);
  if (isWhole(config)) $("show-test-data").checked = true;
  document.querySelectorAll(".accuracy").forEach((box) => { box.hidden = regression; });
  hide();
}

/** Hide what the link says. */
function hide() {
  const { config } = page;
  document.querySelectorAll("[class*=ui-]").forEach((box) => {
    const names = [...box.classList].filter((name) => name.startsWith("ui-")).map((name) => name.slice(3));
    const gone = names.some((name) => config.hide.includes(name) || (name === "text" && config.hideText));
    box.classList.toggle("gone", gone);
  });
}

function choices(id, values, words = String) {
  for (const value of values) $(id).add(new Option(words(value), value));
}

function wire() {
  choices("learningRate", RATES, (rate) => rate.toFixed(5).replace(/0+$/, "").replace(/\.$/, ""));
  choices("regularRate", [0, ...RATES.slice(2)]);
  choices("activations", about.activations, (name) => ({ relu: "ReLU" })[name] ?? name[0].toUpperCase() + name.slice(1));
  choices("optimizer", about.optimizers, (name) => ({ sgd: "Gradient descent", rmsprop: "RMSprop (lecture)" })[name] ?? name);
  choices("dropout", [0, 0.1, 0.2, 0.3, 0.5]);
  choices("networks", [1, 2, 4, 8, 16].filter((n) => n <= about.networks));
  choices("speed", [1, 2, 5, 10, 25, 50]);
  for (const name of [...Object.keys(about.thumbnails), "own"]) {
    const button = document.createElement("button"), canvas = document.createElement("canvas"), label = document.createElement("span");
    button.title = SETS[name] ?? name;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", false);
    button.dataset.dataset = name;
    label.textContent = SETS[name] ?? name;
    drawThumbnail(canvas, about.thumbnails[name] ?? PLUS);
    button.append(canvas, label);
    button.addEventListener("click", () => set(page.config.problem === "regression" ? "regDataset" : "dataset", name));
    $("datasets").append(button);
  }
  $("datasets").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const shown = [...$("datasets").children].filter((button) => !button.hidden);
    const next = shown.at((shown.indexOf(document.activeElement) + step) % shown.length);
    next.focus();
    next.click();
  });
  for (const control of document.querySelectorAll("[data-name]")) {
    control.addEventListener(control.type === "range" ? "input" : "change", () => {
      const value = control.type === "checkbox" ? control.checked : control.type === "number" && control.value === "" ? 0 : control.value;
      set(control.dataset.name, value);
    });
  }
  $("play-pause-button").onclick = () => page.playing ? pause() : play();
  $("next-step-button").onclick = step;
  $("reset-button").onclick = () => take("reset");
  $("restart-button").onclick = () => take("restart");
  $("data-regen-button").onclick = () => take("regenerate");
  $("more").onclick = () => $("more").setAttribute("aria-expanded", $("extras").classList.toggle("open"));
  $("add-layers").onclick = () => change("networkShape", (shape) => [...shape, 2]);
  $("remove-layers").onclick = () => change("networkShape", (shape) => shape.slice(0, -1));
  addEventListener("popstate", ({ state }) => { // back, forward, or a link that was typed
    const link = location.hash;
    after(async () => open(link, await page.memory.going(state?.id), state?.id));
  });
  for (const link of document.querySelectorAll('a[href^="#"]')) { // the address is the set-up: going to a part of the page leaves it
    link.onclick = (event) => {
      const part = $(link.hash.slice(1));
      event.preventDefault();
      part.scrollIntoView();
      part.focus({ preventScroll: true });
    };
  }
  addEventListener("keydown", (event) => {
    if (event.target.closest?.("input, select, textarea, button, summary, a") || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { " ": () => page.playing ? pause() : play(), s: step, r: () => $("reset-button").click(), w: () => $("restart-button").click() }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  let width = innerWidth; // of a narrow screen's height too much changes by itself: its keyboard, its address line
  addEventListener("resize", () => {
    if (innerWidth === width || !page.frame) return;
    width = innerWidth;
    build();
    draw({ ...page.frame, rows: [] });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.frame && draw({ ...page.frame, rows: [] }));
  $("heatmap").querySelector(".axes").innerHTML = [-6, -4, -2, 0, 2, 4, 6].map((t) => {
    const x = 20 + (t + 6) * 25, y = (6 - t) * 25;
    return `<text x="${x}" y="316" text-anchor="middle">${t}</text><text x="15" y="${Math.min(296, Math.max(10, y + 4))}" text-anchor="end">${t}</text>`;
  }).join("");
}

wire();
