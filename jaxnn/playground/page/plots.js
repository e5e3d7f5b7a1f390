// Colours, heat maps, points and the chart of losses.

const ORANGE = [245, 147, 34], GREY = [232, 234, 235], BLUE = [8, 119, 189];
const SHADES = 30;

/** The original's colour of a value: orange at -1, grey at 0, blue at 1. */
export function colour(value, alpha = 1) {
  const [r, g, b] = mixed(value);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

function mixed(value, middle = GREY) {
  const v = Math.max(-1, Math.min(1, Number.isFinite(value) ? value : 0));
  const end = v < 0 ? ORANGE : BLUE;
  return middle.map((c, i) => Math.round(c + (end[i] - c) * Math.abs(v)));
}

// The colours of lines: a weight of 0 fades into the paper, be it light or dark.
const LINES = [GREY, [70, 77, 83]].map((middle) => Array.from({ length: 201 }, (_, i) => `rgb(${mixed(i / 100 - 1, middle)})`));

/** The colour of a line for a weight, on dark paper or on light. */
export function lineColour(value, dark) {
  return LINES[Number(dark)][Math.round(100 * Math.max(-1, Math.min(1, value || 0))) + 100];
}

// The colour of each of 256 bytes: 30 shades laid over white, or two.
function palette(discrete) {
  const table = new Uint8ClampedArray(256 * 4);
  for (let byte = 0; byte < 256; byte++) {
    const value = discrete ? (byte >= 128 ? 1 : -1) : -1 + 2 * Math.round(byte / 255 * (SHADES - 1)) / (SHADES - 1);
    const over = mixed(value).map((c) => 255 + (c - 255) * 160 / 255);
    table.set([...over, 255], byte * 4);
  }
  return table;
}
const PALETTES = { true: palette(true), false: palette(false) };

/** Draw bytes (one a pixel, the canvas's size) on a canvas. */
export function drawMap(canvas, bytes, discrete) {
  const context = canvas.getContext("2d", { willReadFrequently: true }), table = PALETTES[Boolean(discrete)];
  const image = context.createImageData(canvas.width, canvas.height);
  const target = new Uint32Array(image.data.buffer), colours = new Uint32Array(table.buffer);
  for (let i = 0; i < target.length; i++) target[i] = colours[bytes[i]];
  context.putImageData(image, 0, 0);
}

/** Lay white over the pixels where the networks disagree, the more the closer they are to halves. */
export function drawDisagreement(canvas, shares) {
  const context = canvas.getContext("2d", { willReadFrequently: true }), image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < shares.length; i++) {
    if (shares[i] === 0 || shares[i] === 255) continue;
    const strength = 0.35 + 0.65 * (1 - Math.abs(shares[i] - 127.5) / 127.5);
    const dark = (Math.floor(i / canvas.width) + i) % 3 === 0;
    for (let c = 0; c < 3; c++) {
      const k = 4 * i + c;
      image.data[k] += ((dark ? 60 : 255) - image.data[k]) * strength;
    }
  }
  context.putImageData(image, 0, 0);
}

/** Draw points [x1, x2, label] of the plane [-6, 6] on a canvas; those of the test set have dark edges, `chosen` a ring. */
export function drawPoints(canvas, train, test, chosen) {
  const context = canvas.getContext("2d"), size = canvas.width, scale = size / 300;
  context.clearRect(0, 0, size, size);
  const circle = ([x, y, label], edge) => {
    if (Math.abs(x) > 6.2 || Math.abs(y) > 6.2) return;
    context.beginPath();
    context.arc((x + 6) / 12 * size, (6 - y) / 12 * size, 3 * scale, 0, 7);
    context.fillStyle = colour(label);
    context.fill();
    context.lineWidth = scale;
    context.strokeStyle = edge;
    context.stroke();
  };
  for (const point of train) circle(point, "white");
  for (const point of test) circle(point, "#111");
  if (!chosen) return;
  circle(chosen, "white");
  for (const [radius, ink] of [[7, "white"], [6, "#c2185b"]]) {
    context.beginPath();
    context.arc((chosen[0] + 6) / 12 * size, (6 - chosen[1]) / 12 * size, radius * scale, 0, 7);
    Object.assign(context, { lineWidth: 2 * scale, strokeStyle: ink });
    context.stroke();
  }
}

/** Draw a set's thumbnail. */
export function drawThumbnail(canvas, points) {
  canvas.width = canvas.height = 100;
  const context = canvas.getContext("2d");
  for (const [x, y, label] of points) {
    context.fillStyle = colour(label);
    context.fillRect(100 * (x + 6) / 12, 100 * (6 - y) / 12, 4, 4);
  }
}
