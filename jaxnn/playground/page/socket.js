// The socket: every request gets one answer, in order.

/** Take a frame apart, without copying: see `jaxnn.playground.frames.packed` and `session.Session.frame`. */
export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let links = 0, nodes = 0;
  for (let i = 1; i < frame.sizes.length; i++) {
    links += frame.sizes[i - 1] * frame.sizes[i];
    nodes += frame.sizes[i];
  }
  let start = 4 + length;
  const floats = (count) => new Float32Array(buffer, (start += 4 * count) - 4 * count, count);
  const bytes = (count) => new Uint8Array(buffer, (start += count) - count, count);
  frame.weights = floats(links);
  frame.biases = floats(nodes);
  frame.alive = bytes(links);
  frame.nodes = bytes(100 * nodes);
  frame.large = bytes(10000);
  frame.shares = frame.networks ? bytes(10000) : null;
  frame.small = frame.networks ? bytes(2500 * frame.networks.scores.length) : null;
  return frame;
}

export class Connection {
  /** `opened` is called on every new connection, `lost` when it goes, `failed` with what an answer says is wrong. */
  constructor({ opened, lost, failed }) {
    Object.assign(this, { opened, lost, failed, waiting: [] });
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(`ws://${location.host}/socket`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.opened();
    this.socket.onmessage = ({ data }) => {
      const answer = typeof data === "string" ? JSON.parse(data) : { frame: unpacked(data) };
      const waiting = this.waiting.shift();
      if (answer.error && !waiting?.quiet) this.failed(answer.error);
      waiting?.resolve(answer);
    };
    this.socket.onclose = () => {
      this.waiting.splice(0).forEach(({ resolve }) => resolve({ error: "the connection was lost" }));
      this.lost();
      setTimeout(() => this.connect(), 1000);
    };
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Send a request; the promise gives its answer, `{error}` where it was refused, which is said unless it is `quiet`. */
  ask(request, values = {}, quiet = false) {
    if (!this.open) return Promise.resolve({ error: "no connection" });
    this.socket.send(JSON.stringify({ do: request, ...values }));
    return new Promise((resolve) => this.waiting.push({ resolve, quiet }));
  }
}
