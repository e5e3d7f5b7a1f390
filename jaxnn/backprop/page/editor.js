// The lines of a backward pass: a field for each, with its verdict below it.

import { digits } from "./numbers.js";

const MARKS = { right: "✓", otherwise: "✓", kink: "✓", after: "✓", own: "·", part: "·", wrong: "✕", shape: "✕", error: "!", empty: "" };
const SIGNS = ["@", ".T", "*", "/", "**", "+", "-", "(", ")", "sum(", ", axis=0", ", keepdims=True", "mean(", "where(", ">", "[", "]", ":", ","]; // which a phone's keyboard hides
const SPOKEN = { right: "", otherwise: "", kink: "", after: "", own: "a line of your own", part: "", wrong: "wrong", shape: "wrong shape", error: "error", empty: "empty" };

/** The lines; `changed(number)` hears that a line was typed into, `hints(name)` has the three hints for a name. */
export class Editor {
  constructor(root, { changed, hints, told }) {
    Object.assign(this, { root, changed, hints, told, given: new Map() });
    root.addEventListener("input", (event) => this.typed(event.target));
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("focusin", (event) => this.go(event.target.closest("li")));
    this.keys = Object.assign(document.createElement("div"), { className: "keys-row" });
    this.keys.setAttribute("role", "group");
    this.keys.setAttribute("aria-label", "Names and signs to put in");
    this.keys.addEventListener("pointerdown", (event) => event.preventDefault()); // or the line would lose the focus
    this.keys.addEventListener("click", (event) => event.target.matches("button") && this.put(event.target.textContent));
    root.addEventListener("paste", (event) => this.paste(event));
    root.addEventListener("click", (event) => event.target.matches(".hint-button") && this.hint(event.target.closest("li")));
  }

  get text() {
    return [...this.root.children].map((line) => line.field.value).join("\n");
  }

  set text(text) {
    this.root.replaceChildren(...text.split("\n").map((line) => this.line(line)));
    this.given.clear();
    this.number();
  }

  /** Offer names, and signs, to fingers. */
  set names(names) {
    this.keys.replaceChildren(...[...names, ...SIGNS].map((text) => Object.assign(document.createElement("button"), { textContent: text, type: "button" })));
  }

  /** Put a name or a sign in where one types. */
  put(text) {
    const { field } = this.keys.closest("li"), at = field.selectionStart, before = field.value.slice(0, at);
    const between = /^[-@*/+>]$/.test(text) && /[\w)\]]$/.test(before), apart = between || /[\w=]$/.test(before) && /^\w/.test(text) ? " " : "";
    field.setRangeText(`${apart}${text}${between ? " " : ""}`, at, field.selectionEnd, "end");
    field.focus();
    this.typed(field);
  }

  lineText(number) {
    return this.root.children[number - 1]?.field.value;
  }

  /** Go to the first line that has nothing behind its sign, or else to the first. */
  focusFirst() {
    const lines = [...this.root.children], { field } = lines.find((line) => /=\s*$/.test(line.field.value)) ?? lines[0];
    field.focus({ preventScroll: true });
    field.setSelectionRange(field.value.length, field.value.length);
  }

  line(text) {
    const line = document.createElement("li");
    line.className = "line";
    line.innerHTML = `<span class="mark" aria-hidden="true"></span><input type="text" spellcheck="false" autocomplete="off" autocapitalize="off" autocorrect="off" maxlength="300"><span class="of-shape" aria-hidden="true"></span><button class="hint-button" hidden>Hint</button><p class="say"></p><p class="entry"></p><ol class="hints"></ol>`;
    line.field = line.querySelector("input");
    line.field.value = text;
    return line;
  }

  /** Number the lines anew. */
  number() {
    [...this.root.children].forEach((line, i) => {
      const name = nameOf(line.field.value);
      line.field.setAttribute("aria-label", `Line ${i + 1}${name ? `, ${name}` : ""}`);
      line.querySelector(".say").id = `say-${i + 1}`;
      line.querySelector(".entry").id = `entry-${i + 1}`;
      line.field.setAttribute("aria-describedby", `say-${i + 1} entry-${i + 1}`);
      const asked = this.hints(name), button = line.querySelector(".hint-button");
      button.hidden = !asked;
      const shown = this.given.get(name) ?? 0, said = shown ? shown < 3 ? `Hint ${shown + 1}` : "Hints" : "Hint";
      button.textContent = said;
      button.setAttribute("aria-label", `${said} for line ${i + 1}, ${name}`);
    });
  }

  /** Mark the line one is in; it stays marked when the focus leaves, or a click elsewhere would miss what then moves. */
  go(line) {
    for (const other of this.root.children) other.classList.toggle("here", other === line);
    if (this.keys.parentElement !== line) line.querySelector(".of-shape").after(this.keys);
  }

  typed(field) {
    field.closest("li").classList.add("typing");
    this.number();
    this.changed([...this.root.children].indexOf(field.closest("li")) + 1);
  }

  key(event) {
    const field = event.target, line = field.closest("li");
    if (field.tagName !== "INPUT" || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = field.selectionStart, empty = field.value === "";
    if (event.key === "Enter" && !event.isComposing) {
      const rest = this.line(field.value.slice(at));
      field.value = field.value.slice(0, at);
      line.after(rest);
      rest.field.focus();
      rest.field.setSelectionRange(0, 0);
      this.typed(rest.field);
    } else if (event.key === "Backspace" && at === 0 && field.selectionEnd === 0 && line.previousElementSibling) {
      const before = line.previousElementSibling.field, end = before.value.length;
      before.value += field.value;
      line.remove();
      before.focus();
      before.setSelectionRange(end, end);
      this.typed(before);
    } else if (event.key === "Delete" && empty && line.nextElementSibling) {
      line.nextElementSibling.field.focus();
      line.nextElementSibling.field.setSelectionRange(0, 0);
      line.remove();
      this.typed(document.activeElement);
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const other = event.key === "ArrowUp" ? line.previousElementSibling : line.nextElementSibling;
      if (!other) return;
      other.field.focus();
      other.field.setSelectionRange(Math.min(at, other.field.value.length), Math.min(at, other.field.value.length));
    } else return;
    event.preventDefault();
  }

  paste(event) {
    const lines = event.clipboardData?.getData("text").replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n") ?? [];
    if (lines.length < 2) return;
    event.preventDefault();
    const field = event.target, line = field.closest("li"), rest = field.value.slice(field.selectionEnd);
    field.value = field.value.slice(0, field.selectionStart) + lines[0];
    const added = lines.slice(1).map((text) => this.line(text));
    added.at(-1).field.value += rest;
    line.after(...added);
    added.at(-1).field.focus();
    this.typed(added.at(-1).field);
  }

  /** Show the verdicts on the lines. */
  show(verdicts) {
    const by = new Map(verdicts.map((verdict) => [verdict.number, verdict]));
    [...this.root.children].forEach((line, i) => {
      const verdict = by.get(i + 1);
      line.className = `line ${verdict?.kind ?? ""}${line.classList.contains("here") ? " here" : ""}`.trim();
      line.querySelector(".mark").textContent = MARKS[verdict?.kind] ?? "";
      line.querySelector(".of-shape").textContent = verdict?.shape?.length ? `(${verdict.shape.join(", ")}${verdict.shape.length === 1 ? "," : ""})` : "";
      showWords(line.querySelector(".say"), verdict?.words ?? "");
      line.querySelector(".say").classList.toggle("unseen", ["right", "goes on below"].includes(verdict?.words)); // the mark says it
      showEntry(line.querySelector(".entry"), verdict?.entry);
      line.field.setAttribute("aria-invalid", ["wrong", "shape", "error"].includes(verdict?.kind));
      line.said = verdict ? [SPOKEN[verdict.kind], verdict.words.replaceAll("`", "")].filter(Boolean).join(": ") : "";
    });
  }

  /** What is said of a line, for those who hear it. */
  spoken(number) {
    const line = this.root.children[number - 1];
    return line?.said ? `Line ${number}: ${line.said}` : "";
  }

  hint(line) {
    const name = nameOf(line.field.value), three = this.hints(name), button = line.querySelector(".hint-button");
    if (!three) return;
    const list = line.querySelector(".hints"), shown = list.children.length;
    if (shown === 3) { // once all are there the button puts them away
      list.replaceChildren();
      this.given.set(name, 3);
    } else {
      const count = Math.min(3, Math.max(shown + 1, this.given.get(name) === 3 ? 3 : 0));
      this.given.set(name, Math.max(count, this.given.get(name) ?? 0));
      list.replaceChildren(...three.slice(0, count).map((text, i) => item(text, i)));
      this.told(`Hint ${count} of 3: ${three[count - 1]}`);
    }
    button.classList.toggle("open", list.children.length > 0);
    this.number();
  }
}

/** The variable that a line assigns. */
export function nameOf(text) {
  return /^\s*([A-Za-z][A-Za-z0-9]*)\s*(\[[^\]]*\])?\s*[-+]?=(?!=)/.exec(text)?.[1] ?? "";
}

function item(text, i) {
  const one = document.createElement("li");
  if (i < 2) one.textContent = `${["Where to look", "What is missing"][i]}: ${text}${text.endsWith("?") ? "" : "."}`;
  else {
    one.textContent = "The line:";
    one.append(Object.assign(document.createElement("pre"), { textContent: text }));
  }
  return one;
}

/** Show a sentence; what stands between ` and ` in it is code. */
function showWords(box, words) {
  box.replaceChildren(...words.split("`").map((part, i) => i % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
}

function showEntry(box, entry) {
  box.replaceChildren();
  if (!entry) return;
  const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
  box.append(entry.index.length ? `entry [${entry.index.join(", ")}]: by hand ` : "by hand ", bold(digits(entry.hand)), ", true ", bold(digits(entry.true)));
  if (entry.difference !== undefined) box.append(", by differences ", bold(digits(entry.difference)));
}
