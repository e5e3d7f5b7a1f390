// The panels below the network: one weight's gradient, own data, the challenge, what to keep.

import { FEATURES } from "./network.js";

const $ = (id) => document.getElementById(id);
const CHALLENGE = "#dataset=spiral&x=true&y=true&networkShape=4,2&activation=tanh&problem=classification&noise=0&seed=0.31415&stopSolved=true";
// What `python -m experiments spiral` trains.
const SOLUTION = CHALLENGE.replace("4,2", "8,8,8,8,8").replace("tanh", "relu")
  + "&optimizer=radam&learningRate=0.01&batchSize=15&regularization=L2&regularizationRate=0.1";
const HIDEABLE = {
  showTestData: "Show test data", discretize: "Discretize output", playButton: "Run button", stepButton: "Step button",
  resetButton: "Reset button", learningRate: "Learning rate", activation: "Activation", regularization: "Regularization",
  regularizationRate: "Regularization rate", problem: "Problem type", dataset: "Which data set", percTrainData: "Share of training data",
  noise: "Noise level", batchSize: "Batch size", numHiddenLayers: "Number of hidden layers", optimizer: "Optimizer", dropout: "Dropout",
  networks: "Networks side by side", precision: "Precision", stop: "Stop", speed: "Epochs a frame", own: "Your own data", export: "Keep it",
};

/** Wire the panels; `act` has what they ask of the page. */
export function panels(page, act) {
  const nodes = (layer) => layer === 0 ? page.features.map((name) => FEATURES[name][0])
    : Array.from({ length: page.view.sizes[layer] }, (_, i) => layer === page.view.sizes.length - 1 ? "the output" : `neuron ${layer}.${i + 1}`);

  function fill() {
    const to = $("weight-to"), from = $("weight-from"), chosen = page.chosen;
    to.replaceChildren(new Option("…", ""));
    for (let layer = 1; layer < page.view.sizes.length; layer++) nodes(layer).forEach((words, i) => to.add(new Option(words, `${layer - 1},${i}`)));
    from.replaceChildren(new Option("…", ""));
    if (chosen) {
      to.value = `${chosen[0]},${chosen[1]}`;
      nodes(chosen[0]).forEach((words, i) => from.add(new Option(words, i)));
      from.value = chosen[2];
    }
    for (const id of ["weight-value", "weight-point", "weight-close", "weight-from"]) $(id).disabled = !chosen;
  }

  async function choose(weight) {
    page.chosen = weight;
    fill();
    page.view.mark(weight);
    act.drawDots();
    if (!page.playing) await act.refresh();
  }

  function chain(found) {
    $("chain").hidden = !found;
    if (!found) return;
    if (document.activeElement !== $("weight-value")) $("weight-value").value = Number(page.view.value(...page.chosen).toPrecision(6));
    const both = ["By hand", "By autodiff"], n = page.points.train.length;
    $("chain").replaceChildren(
      table("Values, forward", ["Quantity", "How", "Value"], found.values),
      table("Local derivatives", ["Quantity", "How", "Value"], found.slopes),
      table("Adjoints, backward", ["Quantity", "How", ...both], found.adjoints),
      table("Mean over the training points", ["Quantity", "How", ...both], [[`∂J/∂${found.weight}`, `the mean of all ${n} points, without a penalty`, "", ...found.mean]]),
    );
  }

  $("weight-to").onchange = () => choose($("weight-to").value ? [...$("weight-to").value.split(",").map(Number), 0] : null);
  $("weight-from").onchange = () => $("weight-from").value !== "" && choose([page.chosen[0], page.chosen[1], Number($("weight-from").value)]);
  $("weight-close").onclick = () => choose(null);
  $("weight-value").onchange = () => Number.isFinite($("weight-value").valueAsNumber) && act.edit(...page.chosen, $("weight-value").valueAsNumber);
  $("weight-point").onchange = () => {
    point(Math.max(0, Math.min(page.points.train.length, Math.round($("weight-point").valueAsNumber) || 1) - 1));
  };

  function point(index) {
    page.point = index;
    page.picked = true;
    $("weight-point").value = index + 1;
    act.drawDots();
    if (!page.playing) act.refresh();
  }

  const useTable = (text) => act.take("own", { text });
  async function useFile(file) {
    if (!file) return;
    if (file.size > 100_000) return act.say(`${file.name} has ${file.size} bytes, expected at most 100,000`, "bad");
    $("table").value = await file.text();
    await useTable($("table").value);
  }
  $("use-table").onclick = () => useTable($("table").value);
  $("file").onchange = () => useFile($("file").files[0]);
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); useFile(event.dataTransfer.files[0]); });
  $("clear-points").onclick = () => act.take("clear");
  $("shuffle-points").onclick = () => act.take("shuffle");

  $("challenge-start").onclick = () => act.open(CHALLENGE);
  $("challenge-solve").onclick = () => act.open(SOLUTION);

  $("copy-link").onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      act.say("The link is copied.", "good");
    } catch {
      act.say(`The browser did not let the page copy; the link is in its address line: ${location.href}`, "bad");
    }
  };
  for (const form of ["python", "json"]) {
    $(`export-${form}`).onclick = async () => {
      const answer = await page.connection.ask("export", { form });
      if (answer.export) save(new Blob([answer.export], { type: "text/plain" }), answer.name);
    };
  }
  $("export-png").onclick = async () => save(await picture(page), "playground.png");

  for (const [name, words] of Object.entries(HIDEABLE)) {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", checked: true, name });
    box.onchange = () => {
      const shown = box.checked;
      act.after(() => {
        const link = location.hash.split("&").filter((part) => !part.startsWith(`${name}_hide=`));
        return act.open([...link, ...(shown ? [] : [`${name}_hide=true`])].join("&"));
      });
    };
    label.append(box, ` ${words}`);
    $("hide-controls").append(label);
  }

  return {
    choose,
    chain,
    /** Choose the training point that is nearest to a place on the map. */
    nearest(x, y) {
      const far = ([a, b]) => (a - x) ** 2 + (b - y) ** 2, { train } = page.points;
      if (train.length) point(train.reduce((best, one, i) => far(one) < far(train[best]) ? i : best, 0));
    },
    reset() {
      const { chosen } = page, sizes = [page.features.length, ...page.config.networkShape, 1];
      if (chosen && !(chosen[0] < sizes.length - 1 && chosen[1] < sizes[chosen[0] + 1] && chosen[2] < sizes[chosen[0]])) page.chosen = null;
      page.view.sizes = sizes;
      page.picked = false;
      fill();
      document.querySelectorAll("#hide-controls input").forEach((box) => { box.checked = !page.config.hide.includes(box.name); });
    },
  };
}

/** A table of rows [quantity, how, the same with its numbers, value, ...]. */
function table(caption, heads, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = caption;
  const head = made.createTHead().insertRow();
  heads.forEach((words, i) => {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.className = i > 1 ? "number" : "";
    cell.textContent = words;
    head.append(cell);
  });
  const body = made.createTBody();
  for (const [name, how, numbers, ...values] of rows) {
    const line = body.insertRow(), way = document.createElement("td"), small = document.createElement("small");
    line.insertCell().textContent = name;
    way.textContent = how;
    small.textContent = numbers && `= ${numbers}`;
    if (numbers) way.append(small);
    line.append(way);
    for (const value of values) Object.assign(line.insertCell(), { textContent: sixDigits(value), className: "number" });
  }
  return made;
}

/** Six digits, as the rows' own texts have them. */
function sixDigits(value) {
  if (value === null) return "–";
  const short = Number(value.toPrecision(6)), power = short && Math.floor(Math.log10(Math.abs(short)));
  return power < -4 || power > 5 ? short.toExponential() : String(short);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The network and its output as one picture. */
function picture(page) {
  const root = $("network"), scale = 2, side = 320, width = root.offsetWidth + side + 60, height = Math.max(root.offsetHeight, side + 70) + 20;
  const canvas = Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d"), origin = root.getBoundingClientRect();
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, width, height);
  context.drawImage(root.querySelector(".lines"), 0, 0, root.offsetWidth, root.offsetHeight);
  context.lineWidth = 3;
  root.querySelectorAll(".node").forEach((node) => {
    const box = node.getBoundingClientRect();
    context.strokeStyle = getComputedStyle(node).borderTopColor;
    context.strokeRect(box.left - origin.left + 1.5, box.top - origin.top + 1.5, box.width - 3, box.height - 3);
  });
  context.fillStyle = getComputedStyle(document.body).color;
  context.font = "13px sans-serif";
  root.querySelectorAll(".feature-label").forEach((label) => context.fillText(label.textContent, 6, label.offsetTop + 22));
  const left = root.offsetWidth + 40;
  context.drawImage($("heatmap").querySelector(".map"), left, 20, side, side);
  context.drawImage($("heatmap").querySelector(".points"), left, 20, side, side);
  const words = `epoch ${page.frame.epoch}, training loss ${$("loss-train").textContent}, test loss ${$("loss-test").textContent}`;
  context.fillText(words, left, side + 40);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
