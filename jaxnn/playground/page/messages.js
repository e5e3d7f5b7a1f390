// Messages: each stands beside the control that caused it, and is read out.

const root = document.getElementById("messages"), loose = root.querySelector(".loose");
const CONTROLS = "button, label, select, input, textarea, canvas, summary";
let cause = null;

// What was touched last is what a message is about; used again, it loses the message of the last time.
for (const type of ["pointerdown", "keydown", "change", "click", "drop"]) {
  addEventListener(type, (event) => {
    if (root.contains(event.target)) return;
    cause = event.target.closest?.(CONTROLS) ?? (type === "drop" ? document.getElementById("own-panel") : cause);
    if (type === "pointerdown" || type === "change") all().filter((box) => box.anchor === cause).forEach((box) => box.remove());
  }, true);
}

const all = () => [...root.querySelectorAll(":scope > div:not(.loose), .loose > div")];

/** Say something beside a control, the one touched last where none is given; `kind` is "bad", "good" or nothing. */
export function say(text, kind = "", at = cause) {
  const box = document.createElement("div"), words = document.createElement("span"), close = document.createElement("button");
  box.className = kind;
  words.textContent = text;
  box.append(words, close);
  close.textContent = "✕";
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => box.remove();
  unsay(text);
  const old = all();
  if (old.length >= 4) old[0].remove();
  box.anchor = at;
  const near = at?.isConnected && seen(at);
  (near ? root : loose).append(box);
  if (near) place(box);
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

// Where nobody sees the control the message goes to the foot of the window.
function seen(control) {
  const { top, bottom, width } = control.getBoundingClientRect();
  return width > 0 && bottom > 0 && top < innerHeight;
}

function place(box) {
  const at = box.anchor.getBoundingClientRect(), { offsetWidth, offsetHeight } = box;
  const below = at.bottom + 6 + offsetHeight < innerHeight || at.top < offsetHeight + 6;
  const top = below ? Math.min(at.bottom + 6, innerHeight - offsetHeight - 6) : at.top - offsetHeight - 6;
  box.style.top = `${top + scrollY}px`;
  box.style.left = `${Math.max(6, Math.min(at.left, document.documentElement.clientWidth - offsetWidth - 6)) + scrollX}px`;
}

addEventListener("resize", () => root.querySelectorAll(":scope > div:not(.loose)").forEach((box) => {
  if (box.anchor.isConnected && seen(box.anchor)) place(box);
  else loose.append(Object.assign(box, { style: "" }));
}));
