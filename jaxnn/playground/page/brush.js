// The brush: points drawn on the map, by clicks and by dragging; without it a click chooses a point.

const SPACE = 0.32; // between the points of a stroke, in units of the plane

/** Wire the canvas; `draw(points)` sends points and resolves when they are there, `choose(x, y)` takes a click without a brush. */
export function brush(canvas, { draw, choose, redraw }) {
  const label = () => Number(document.querySelector("[name=draw]:checked").value);
  const waiting = []; // drawn, and not yet part of the set
  let last = null, sending = false;

  const at = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [-6 + 12 * (clientX - box.left) / box.width, 6 - 12 * (clientY - box.top) / box.height];
  };

  function add([x, y]) {
    if (Math.abs(x) > 6 || Math.abs(y) > 6 || (last && Math.hypot(x - last[0], y - last[1]) < SPACE)) return;
    last = [x, y];
    waiting.push([x, y, label()]);
    redraw();
    if (!sending) send();
  }

  async function send() {
    sending = true;
    while (waiting.length) {
      const points = waiting.slice();
      await draw(points, () => waiting.splice(0, points.length)); // gone as soon as the answer has them
    }
    sending = false;
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!label()) return choose(...at(event));
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = null;
    add(at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last && event.buttons & 1) (event.getCoalescedEvents?.() ?? [event]).forEach((one) => add(at(one)));
  });
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { last = null; });
  for (const radio of document.querySelectorAll("[name=draw]")) {
    radio.addEventListener("change", () => canvas.parentElement.classList.toggle("drawing", label() !== 0));
  }
  return waiting;
}
