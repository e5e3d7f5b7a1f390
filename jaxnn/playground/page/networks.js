// Several networks side by side: each with its map and its loss, and how far they lie apart.

import { ticks } from "./chart.js";
import { drawMap } from "./plots.js";

const $ = (id) => document.getElementById(id), SIDE = 50;
const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`, digits = (loss) => loss === null ? "–" : loss.toFixed(3);

/** Show the networks of a frame; nothing where there is one. A score is [train loss, test loss, accuracies]. */
export function showNetworks({ networks, small }, { problem, discretize }) {
  $("networks-panel").hidden = $("networks-summary").hidden = !networks;
  if (!networks) return;
  const { scores, diverged } = networks, count = scores.length;
  const losses = scores.map((row) => row[1] ?? row[0]), sorted = losses.filter((loss) => loss !== null).sort((a, b) => a - b);
  const right = scores.map((row) => row[3] ?? row[2]).sort((a, b) => a - b);
  const spread = (values, say) => `${say(values[0])} to ${say(values.at(-1))}, median ${say(values[values.length >> 1])}`;
  const accuracy = problem === "classification" ? ` Accuracy ${spread(right, percent)}.` : "";
  $("networks-summary").textContent = `The mean of ${count} networks; hatched where they disagree on the sign.`
    + (sorted.length ? ` Test loss ${spread(sorted, digits)}.` : "") + accuracy + (diverged ? ` ${diverged} diverged.` : "");
  const figures = $("multiples");
  while (figures.children.length > count) figures.lastChild.remove();
  while (figures.children.length < count) {
    const figure = document.createElement("figure"), canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    canvas.setAttribute("role", "img");
    figure.append(canvas, document.createElement("figcaption"));
    figures.append(figure);
  }
  scores.forEach((row, i) => {
    const [canvas, words] = figures.children[i].children;
    drawMap(canvas, small.subarray(SIDE * SIDE * i, SIDE * SIDE * (i + 1)), discretize);
    words.textContent = digits(losses[i]);
    canvas.setAttribute("aria-label", `Network ${i + 1}: its output, test loss ${digits(losses[i])}`);
  });
  drawSpread($("spread"), sorted);
}

/** Draw each loss as a stroke on one line from 0 on, and the median as a long one. */
function drawSpread(canvas, losses) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas, style = getComputedStyle(canvas);
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  const context = canvas.getContext("2d"), most = losses.at(-1) || 1, x = (loss) => 6 + loss / most * (width - 12);
  context.scale(ratio, ratio);
  Object.assign(context, { font: `10px ${style.fontFamily}`, fillStyle: style.getPropertyValue("--muted"), textAlign: "center" });
  context.fillRect(6, 15, width - 12, 1);
  for (const loss of ticks(most, 4)) context.fillText(String(Number(loss.toPrecision(3))), Math.min(x(loss), width - 12), 28);
  context.fillStyle = style.color;
  losses.forEach((loss, i) => i === losses.length >> 1 ? context.fillRect(x(loss) - 1.5, 1, 3, 15) : context.fillRect(x(loss) - 0.5, 6, 1, 10));
}
