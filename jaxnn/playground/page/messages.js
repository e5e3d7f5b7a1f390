// Messages: each stands beside the control that caused it, and is read out.

const root = document.getElementById("messages"), loose = root.querySelector(".loose"), row = root.querySelector(".under");
const CONTROLS = "button, label, select, input, textarea, canvas, summary";
const THINGS = `${CONTROLS}, h1, h2, p, dl, li, code, table, .control, [role=img]`; // what a message would hide
let cause = null;

// What was touched last is what a message is about; used again, it loses the message of the last time.
for (const type of ["pointerdown", "keydown", "change", "click", "drop"]) {
  addEventListener(type, (event) => {
    if (root.contains(event.target)) return;
    cause = event.target.closest?.(CONTROLS) ?? (type === "drop" ? document.getElementById("own-panel") : cause);
    if (type === "pointerdown" || type === "change") all().filter((box) => box.anchor === cause).forEach((box) => box.remove());
  }, true);
}

const all = () => [...root.querySelectorAll(".message")];

/** Say something beside a control, the one touched last where none is given; `kind` is "bad", "good" or nothing. */
export function say(text, kind = "", at = cause) {
  const box = document.createElement("div"), words = document.createElement("span"), close = document.createElement("button");
  box.className = `message ${kind}`;
  words.textContent = text;
  box.append(words, close);
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => box.remove();
  unsay(text);
  const old = all();
  if (old.length >= 4) old[0].remove();
  box.anchor = at;
  put(box);
}

/** Take a message back. */
export function unsay(text) {
  for (const box of all()) if (box.firstChild.textContent === text) box.remove();
}

/** Take all back: they were about another set-up. */
export function clear() {
  cause = null;
  all().forEach((box) => box.remove());
}

// Beside its control where it hides nothing there. Else, and for the bar or what is not seen, in a row of its own under
// the bar, on the control's side; and where that is out of sight at the foot of the window.
function put(box) {
  const at = box.anchor, near = at?.isConnected && seen(at) && !at.closest("#top-controls"), { left = 0 } = near ? at.getBoundingClientRect() : {};
  box.removeAttribute("style");
  root.append(box);
  if (near && (place(box) === 0 || !(row && inSight(row)))) return;
  box.style = left > innerWidth / 2 ? "margin-left: auto" : "";
  (row && inSight(row) ? row : loose).append(box);
}

function seen(control) {
  const { top, bottom, width } = control.getBoundingClientRect();
  return width > 0 && bottom > 0 && top < innerHeight;
}

function inSight(place) {
  const { top } = place.getBoundingClientRect(), bar = document.querySelector(".timeline").getBoundingClientRect();
  return top >= Math.max(0, bar.bottom - 1) && top < innerHeight; // on a phone the bar stays in sight, and the row goes under it
}

/** Put a message next to its control, where it hides least, and return how much it does. */
function place(box) {
  const at = box.anchor.getBoundingClientRect(), { offsetWidth: width, offsetHeight: height } = box, gap = 6;
  const within = (x, most) => Math.max(gap, Math.min(x, most - gap));
  const [[left, top], least] = [at.left, at.right - width].flatMap((x) => [[x, at.bottom + gap], [x, at.top - height - gap]])
    .concat([[at.right + gap, at.top], [at.left - width - gap, at.top]])
    .map(([x, y]) => [within(x, document.documentElement.clientWidth - width), within(y, innerHeight - height)])
    .map((spot) => [spot, hidden(...spot, width, height)])
    .reduce((best, one) => one[1] < best[1] ? one : best);
  box.style.top = `${top + scrollY}px`;
  box.style.left = `${left + scrollX}px`;
  return least;
}

/** How much would be hidden: of 27 places in a box those that have something to see or to press. */
function hidden(left, top, width, height) {
  const at = Array.from({ length: 27 }, (_, i) => [left + width * (i % 9) / 8, top + height * Math.floor(i / 9) / 2]);
  return at.filter(([x, y]) => document.elementsFromPoint(x, y).some((one) => !root.contains(one) && one.matches(THINGS))).length;
}

addEventListener("resize", () => all().forEach(put));
