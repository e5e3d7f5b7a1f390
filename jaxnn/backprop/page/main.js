// The page: which level is open, what is typed, and what is said of it.

import { say } from "../messages.js";
import { ask } from "./ask.js";
import { Editor } from "./editor.js";
import { drawGraph, showRight } from "./graph.js";
import { shapeText, tableOf } from "./numbers.js";
import { keep, kept, last, link, linked } from "./store.js";
import { hideRun, showRun } from "./training.js";

const $ = (id) => document.getElementById(id);
const WAIT = 30, SPEAK = 900, REST = 1200; // ms after the last key: until a text is judged, its verdict read out, the whole verified
const FORMS = [
  ["dW = A.T @ dZ / m", "+ − * / ** and the matrix product @; .T transposes"],
  ["sum(dZ, axis=0, keepdims=True)", "sum, mean, max over all or along an axis; also dZ.sum(axis=0)"],
  ["where(Z > 0, 1, 0)", "comparisons give 1 and 0; exp log sqrt sin cos tanh abs maximum"],
  ["X[0:2, 1:]  X[0::2]  X[:, None]", "indices and slices; reshape(X, (2, 3)), pad(X, 1), X.shape[0]"],
  ["dX = zeros((3, 3))", "then parts of it: dX[0, 1] = ... or dX[0:2, 0:2] += ..."],
];
const page = { levels: [], level: null, right: new Set(), chosen: null, asked: 0, judged: null, uncovered: false, solved: false, typed: 0, timer: 0, speech: 0, judging: false, again: false };

const editor = new Editor($("editor"), {
  changed: (number) => {
    page.typed = number;
    clearTimeout(page.timer);
    page.timer = setTimeout(soon, WAIT);
  },
  hints: (name) => page.level?.asked.find((one) => one.name === name)?.hints,
  told: (text) => { $("live").textContent = text; },
});

/** Judge what is typed, or once the question before has its answer: one at a time, however fast one types. */
function soon() {
  page.again = page.judging;
  if (page.judging) return;
  page.judging = true;
  judge().finally(() => {
    page.judging = false;
    if (page.again) soon();
  });
}

/** Judge what is typed; of two answers the later question's counts. */
async function judge() {
  const level = page.level?.name, text = editor.text, number = ++page.asked;
  if (!level) return;
  try {
    const found = await ask({ do: "judge", level, text });
    if (number !== page.asked || level !== page.level?.name || text !== editor.text) return;
    show(found, text);
  } catch (error) {
    say(error.message, "bad", $("backward-title"));
  }
}

function show({ lines, solved }, text) {
  const { level } = page, open = covered(solved) ? lines.filter(({ number }) => !level.start.split("\n").includes(editor.lineText(number))) : lines;
  editor.show(open);
  $("cover").hidden = open.length === lines.length;
  page.right = new Set(open.filter(({ kind }) => ["right", "otherwise", "kink"].includes(kind)).map(({ name }) => name));
  showRight($("graph"), level, page.right);
  if (page.chosen) showNumbers(page.chosen);
  if (solved !== page.solved || page.judged !== text) showResult(solved);
  if (page.judged !== text) {
    const begun = text !== level.start;
    if (page.judged !== null) {
      keep(level.name, { text: begun ? text : null, ...(solved ? { solved: true } : {}) });
      hideRun();
    }
    link(level.name, text, false);
  }
  page.judged = text;
  document.body.dataset.judged = String(page.asked);
  showLevels();
  clearTimeout(page.speech);
  if (page.typed) page.speech = setTimeout(() => { $("live").textContent = editor.spoken(page.typed); }, SPEAK);
}

/** Whether the verdicts on lines that nobody has touched are held back: a mistake that is to be found. */
const covered = (solved) => Boolean(page.level.bug) && !page.uncovered && !solved;

/** Say that all is right, and what jaxnn.verify says of the whole. */
async function showResult(solved) {
  const box = $("result"), level = page.level.name, text = editor.text;
  page.solved = solved;
  box.hidden = !solved;
  if (!solved) return;
  const words = document.createElement("p"), verdict = document.createElement("p");
  words.textContent = page.level.bug ? "Found, and mended: every line is right." : "Every line is right.";
  verdict.textContent = "jaxnn.verify looks at the whole gradient …";
  box.replaceChildren(words, verdict);
  const place = page.levels.findIndex((one) => one.name === level), next = page.levels[place + 1];
  if (next) {
    const button = document.createElement("button");
    Object.assign(button, { className: "link next", textContent: `Next: ${next.title}`, onclick: () => open(next.name) });
    box.append(button);
  }
  await new Promise((done) => setTimeout(done, REST)); // it takes seconds, and who types on would wait for it
  if (level !== page.level.name || text !== editor.text) return;
  try {
    const found = await ask({ do: "verify", level, text });
    if (level !== page.level.name) return;
    verdict.textContent = found.right ? `jaxnn.verify says ${found.kind}: ${found.witnesses.length} witnesses agree (${found.witnesses.join(" · ")}).` : `jaxnn.verify says ${found.message}`;
  } catch (error) {
    verdict.textContent = error.message;
  }
}

/** Open a level, with a text or with what was typed last. */
async function open(name, text = null, step = true) {
  const known = page.levels.some((one) => one.name === name) ? name : page.levels[0].name;
  try {
    page.asked++;
    $("lesson").setAttribute("aria-busy", "true");
    $("level-section").textContent = "The true derivatives are being computed …";
    const level = await ask({ do: "level", name: known });
    Object.assign(page, { level, chosen: null, judged: null, solved: false, typed: 0, right: new Set(), uncovered: false });
    hideRun();
    $("result").hidden = true;
    showLevel(level);
    editor.names = [...new Set([...Object.keys(level.values), ...level.asked.map((one) => one.name)])];
    editor.text = text ?? kept(known).text ?? level.start;
    link(known, editor.text, step);
    keep(known, {});
    showLevels();
    await judge();
  } catch (error) {
    say(error.message, "bad", $("level-title"));
  } finally {
    $("lesson").removeAttribute("aria-busy");
  }
}

function showLevel(level) {
  document.title = `${level.title} · Write the backward pass yourself · jaxnn`;
  $("level-title").textContent = level.title;
  $("level-section").textContent = level.bug ? "Find the bug" : `The lecture, ${level.section}`.replace("The lecture, beyond the lecture", "Beyond the lecture");
  $("level-words").textContent = level.words;
  $("level-bug").hidden = !level.bug;
  $("level-now").textContent = `· ${level.title}`;
  if (level.bug) {
    const source = Object.assign(document.createElement("a"), { href: level.bug.source, textContent: "where it was found", rel: "noreferrer", target: "_blank" });
    $("level-bug").replaceChildren(`${level.bug.story} One line below is wrong. Train with it and watch how it learns, find the line, and mend it (`, source, ").");
  }
  showCode(level);
  drawGraph($("graph"), level, choose);
  $("numbers").replaceChildren();
}

function showCode(level) {
  const given = document.createElement("div"), computed = level.code.map((line) => line.name);
  given.className = "given";
  for (const name of Object.keys(level.values).filter((one) => !computed.includes(one))) {
    const value = level.values[name], button = nameButton(name), small = document.createElement("small");
    small.textContent = Array.isArray(value) ? ` ${shapeText([value.length, value[0].length])}` : ` = ${value}`;
    button.append(small);
    given.append(button);
  }
  const lines = level.code.map(({ text, name, shape }) => {
    const row = document.createElement("div"), code = document.createElement("code"), of = document.createElement("span");
    code.append(nameButton(name), text.replace(/#.*/, "").trimEnd().slice(name.length));
    of.className = "shape";
    of.textContent = shape.length ? `(${shape.join(", ")})` : "number";
    row.append(code, of);
    return row;
  });
  $("code").replaceChildren(given, ...lines);
}

function nameButton(name) {
  return Object.assign(document.createElement("button"), { textContent: name, title: `Show the numbers of ${name}`, onclick: () => choose(name) });
}

function choose(name) {
  page.chosen = page.chosen === name ? null : name;
  for (const node of $("graph").querySelectorAll(".node")) node.classList.toggle("chosen", node.dataset.name === page.chosen);
  showNumbers(page.chosen);
}

/** Show the numbers of a variable, and of its adjoint where that is known. */
function showNumbers(name) {
  if (!name) return $("numbers").replaceChildren();
  const { level, right } = page, cost = level.code.at(-1).name;
  const adjoint = [`d${name}`, `d${cost}d${name}`].find((one) => one in level.adjoints && one !== `d${cost}`), parts = [tableOf(name, level.values[name])];
  if (adjoint && right.has(adjoint)) parts.push(tableOf(adjoint, level.adjoints[adjoint]));
  else if (adjoint && (level.params.includes(name) || level.code.some((line) => line.name === name))) parts.push(Object.assign(document.createElement("p"), { textContent: `${adjoint} shows here once your line is right.` }));
  $("numbers").replaceChildren(...parts);
}

function showLevels() {
  const groups = [["Levels", page.levels.filter((one) => !one.bug)], ["Find the bug", page.levels.filter((one) => one.bug)]];
  $("levels").replaceChildren(...groups.filter(([, some]) => some.length).flatMap(([title, some]) => {
    const list = document.createElement("ol");
    list.append(...some.map(({ name, title: words }) => {
      const item = document.createElement("li"), button = document.createElement("button"), tick = document.createElement("span");
      const { solved, text } = kept(name), begun = text !== null;
      Object.assign(tick, { className: "tick", textContent: solved ? "✓" : begun ? "◐" : "○" });
      tick.setAttribute("aria-hidden", "true");
      button.className = solved ? "solved" : begun ? "begun" : "";
      button.append(tick, words);
      if (solved) button.append(Object.assign(document.createElement("span"), { className: "unseen", textContent: ", solved" }));
      if (name === page.level?.name) button.setAttribute("aria-current", "true");
      button.onclick = () => {
        if (matchMedia("(max-width: 1080px)").matches) $("levels-box").open = false;
        open(name).then(() => !narrow.matches && editor.focusFirst());
      };
      item.append(button);
      return item;
    }));
    const heading = Object.assign(document.createElement("h2"), { textContent: `${title} ` }), count = some.filter(({ name }) => kept(name).solved).length;
    if (count) heading.append(Object.assign(document.createElement("small"), { textContent: `${count} of ${some.length}` }));
    return [heading, list];
  }));
}

/** Do something that may take a moment, the button at rest meanwhile. */
async function busy(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message, "bad", button);
  } finally {
    button.disabled = false;
  }
}

function download({ file, text }) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  a.download = file;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

const asked = (what, more = {}) => ask({ do: what, level: page.level.name, text: editor.text, ...more });
$("train").onclick = () => busy($("train"), async () => {
  showRun(await asked("train"));
  $("training").scrollIntoView({ block: "nearest" });
});
$("export-python").onclick = () => busy($("export-python"), async () => download(await asked("export", { form: "python" })));
$("export-r").onclick = () => busy($("export-r"), async () => download(await asked("export", { form: "r" })));
$("start-over").onclick = () => { // a step of the browser's history, which may be taken back
  const { name, start } = page.level, begun = editor.text !== start;
  link(name, editor.text, false);
  editor.text = start;
  link(name, start, true);
  if (begun) say("Started over. The browser’s back button brings your lines back.", "", $("start-over"));
  judge();
};
$("copy-link").onclick = () => busy($("copy-link"), async () => {
  link(page.level.name, editor.text, false);
  await navigator.clipboard.writeText(location.href);
  say("The link is copied: it opens this level with what you typed.", "good", $("copy-link"));
});
$("uncover").onclick = () => {
  page.uncovered = true;
  judge();
};
$("language-button").onclick = () => {
  $("language").hidden = !$("language").hidden;
  $("language-button").setAttribute("aria-expanded", String(!$("language").hidden));
};
const list = document.createElement("dl");
for (const [code, words] of FORMS) list.append(Object.assign(document.createElement("dt"), { textContent: code }), Object.assign(document.createElement("dd"), { textContent: words }));
$("language").append(list);

const narrow = matchMedia("(max-width: 1080px)"), fold = () => { $("levels-box").open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();
addEventListener("popstate", () => {
  const { level, text } = linked();
  if (level) open(level, text, false);
});

try {
  page.levels = (await ask({ do: "levels" })).levels;
  const { level, text } = linked();
  await open(level ?? last() ?? page.levels[0].name, level ? text : null, false);
} catch (error) {
  say(error.message, "bad");
}
