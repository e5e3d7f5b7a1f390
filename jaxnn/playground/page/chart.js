// The losses of a run over its epochs, with axes, and the values under the pointer.

const LEFT = 34, BOTTOM = 15, TOP = 6;

/** A row is [epoch, train loss, test loss, train accuracy, test accuracy], or a step and two other losses with their names. */
export class Chart {
  constructor(canvas, words, { unit = "epoch", names = ["training", "test"], widths = [1.6, 1.6], log = false } = {}) {
    Object.assign(this, { canvas, words, unit, names, widths, log, at: null });
    this.reset();
    canvas.addEventListener("pointermove", (event) => { this.at = event.offsetX; this.draw(); });
    canvas.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
  }

  reset() {
    this.rows = [];
    this.stride = 1;
  }

  add(rows) {
    for (const row of rows) if (row[0] % this.stride === 0) this.rows.push(row);
    while (this.rows.length > 2000) {
      this.stride *= 2;
      this.rows = this.rows.filter((row) => row[0] % this.stride === 0);
    }
  }

  draw() {
    const { canvas, rows } = this, ratio = window.devicePixelRatio || 1, style = getComputedStyle(canvas);
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio)) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const context = canvas.getContext("2d"), tests = !document.getElementById("loss-test")?.closest(".gone");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const all = rows.flatMap(([, a, b]) => [a, tests ? b : null]).filter(Number.isFinite), low = Math.min(0, ...all), most = Math.max(0, ...all) || 1, last = Math.max(1, rows.at(-1)?.[0] ?? 1);
    const least = Math.min(...all), steep = this.log && least > 0 && most / least > 30; // then in powers of ten
    const share = steep ? (loss) => Math.log(loss / least) / Math.log(most / least) : (loss) => (loss - low) / (most - low);
    const x = (epoch) => LEFT + epoch / last * (width - LEFT - 4), y = (loss) => height - BOTTOM - share(loss) * (height - BOTTOM - TOP);
    Object.assign(context, { font: `11px ${style.fontFamily}`, fillStyle: style.getPropertyValue("--muted"), strokeStyle: style.getPropertyValue("--line"), lineWidth: 1 });
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const loss of steep ? powers(least, most) : ticks(most, 3)) {
      line(context, [[LEFT, y(loss)], [width - 4, y(loss)]]);
      context.fillText(steep ? loss.toExponential(0).replace("e+0", "").replace("-", "−") : String(Number(loss.toPrecision(3))), LEFT - 4, y(loss));
    }
    for (const epoch of ticks(last, 4).filter(Number.isInteger)) {
      context.textAlign = epoch ? x(epoch) > width - 20 ? "right" : "center" : "left";
      context.fillText(epoch.toLocaleString("en"), x(epoch), height - 6);
    }
    for (const [column, ink] of [[1, style.getPropertyValue("--dead")], [2, style.color]].slice(0, tests ? 2 : 1)) {
      Object.assign(context, { strokeStyle: ink, lineWidth: this.widths[column - 1] });
      let part = [];
      for (const row of [...rows, [0, null, null]]) { // a loss that cannot be said ends a line
        if (row[column] !== null) part.push([x(row[0]), y(row[column])]);
        else part = line(context, part);
      }
    }
    this.tell(context, rows, x, height, tests);
  }

  tell(context, rows, x, height, tests) {
    const row = this.at === null ? null : rows.reduce((best, one) => !best || Math.abs(x(one[0]) - this.at) < Math.abs(x(best[0]) - this.at) ? one : best, null);
    this.words.hidden = !row;
    if (!row) return;
    line(context, [[x(row[0]), TOP], [x(row[0]), height - BOTTOM]]);
    const say = (value) => value === null ? "–" : value.toFixed(4);
    this.words.textContent = `${this.unit} ${row[0].toLocaleString("en")}: ${this.names[0]} ${say(row[1])}${tests ? `, ${this.names[1]} ${say(row[2])}` : ""}`;
  }
}

/** Round numbers from 0 to `most`, about `count` of them. */
export function ticks(most, count) {
  const rough = most / count, ten = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((n) => n * ten >= rough) * ten;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Powers of ten between two numbers, not more than five. */
function powers(least, most) {
  const first = Math.ceil(Math.log10(least) - 1e-9), last = Math.floor(Math.log10(most) + 1e-9), step = Math.ceil((last - first + 1) / 5);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => Number(`1e${first + i * step}`));
}

function line(context, points) {
  context.beginPath();
  points.forEach(([x, y], i) => i ? context.lineTo(x, y) : context.moveTo(x, y));
  context.stroke();
  return [];
}
