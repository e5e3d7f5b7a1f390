// What is kept: in this browser what was typed and solved, in the address the level and its text.

const KEY = "jaxnn-backprop";

function all() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return kept && typeof kept === "object" ? kept : {};
  } catch { // no storage here, or not ours
    return {};
  }
}

/** What was kept of a level: `text` and `solved`. */
export function kept(level) {
  const one = all()[level];
  return { text: typeof one?.text === "string" ? one.text : null, solved: Boolean(one?.solved) };
}

/** Keep something of a level. */
export function keep(level, changes) {
  try {
    const now = all();
    localStorage.setItem(KEY, JSON.stringify({ ...now, [level]: { ...now[level], ...changes }, last: level }));
  } catch { /* a browser that keeps nothing: the page goes on */ }
}

/** The level that was open last. */
export const last = () => all().last;

/** What the address says: a level, and a text or null. */
export function linked() {
  const part = new URLSearchParams(location.hash.slice(1));
  return { level: part.get("level"), text: part.get("text") };
}

/** Put a level and a text into the address, as a step of the browser's history or in place of the present one. */
export function link(level, text, step) {
  const hash = `#${new URLSearchParams({ level, text })}`;
  if (hash !== location.hash) history[step ? "pushState" : "replaceState"](null, "", hash);
}
