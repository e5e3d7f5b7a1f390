// A training with the learner's gradient beside one with the true gradient, in the playground's view.

import { Chart } from "../chart.js";
import { drawMap, drawPoints } from "../plots.js";
import { digits } from "./numbers.js";

const $ = (id) => document.getElementById(id);
const chart = new Chart($("losses"), $("loss-value"), { unit: "step", names: ["true", "yours"], widths: [5, 1.8], log: true });
const still = matchMedia("(prefers-reduced-motion: reduce)");
let run = null, playing = 0;

/** Show a run, from its first step on. */
export function showRun(found) {
  run = found;
  $("training").hidden = false;
  chart.reset();
  chart.add(run.losses.map(([step, hand, right]) => [step, right, hand]));
  chart.draw();
  $("training-words").textContent = words(run);
  $("maps").hidden = !run.maps;
  if (!run.maps) return;
  $("step").max = run.steps.length - 1;
  for (const canvas of document.querySelectorAll("#maps .points")) drawPoints(canvas, run.points, []);
  clearInterval(playing);
  show(still.matches ? run.steps.length - 1 : 0);
  if (!still.matches) playing = setInterval(() => show(Number($("step").value) + 1), 140);
}

/** Put the training away: it was another text's. */
export function hideRun() {
  clearInterval(playing);
  run = null;
  $("training").hidden = true;
}

function show(moment) {
  if (!run || moment >= run.steps.length) return clearInterval(playing);
  $("step").value = moment;
  $("step-now").textContent = run.steps[moment];
  for (const which of ["hand", "true"]) {
    const bytes = run.maps[which][Math.min(moment, run.maps[which].length - 1)];
    drawMap($(`map-${which}`), bytes);
  }
}

function words({ losses, rate }) {
  const first = losses[0][1], lost = losses.findIndex(([, hand]) => hand === null), [step, hand, right] = losses.at(-1);
  if (lost >= 0) return `With your gradient the training is lost at step ${lost}: the loss grows without bound. With the true one it falls from ${digits(first)} to ${digits(right)}.`;
  const same = Math.abs(hand - right) <= 1e-6 * Math.max(Math.abs(right), 1e-9) + 1e-12;
  const end = same ? "and the true gradient gives the same, step by step" : `with the true gradient to ${digits(right)}`;
  return `${step} steps of gradient descent at a rate of ${rate}: with your gradient the loss goes from ${digits(first)} to ${digits(hand)}, ${end}.`;
}

$("step").addEventListener("input", () => { clearInterval(playing); show(Number($("step").value)); });
addEventListener("resize", () => run && chart.draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => run && chart.draw());
