// What the page remembers of its session: enough to go on after the connection was lost, and to undo.

const MOST = 60; // set-ups that can be gone back to with their networks
const TOGETHER = 1500; // milliseconds: changes of one setting, as by a slider, are one step back

export class Memory {
  /** `ask(request)` asks the session. */
  constructor(ask) {
    Object.assign(this, { ask, entries: new Map(), last: null, changed: [null, 0], due: 0, count: 0 });
  }

  /** The networks as they are now, with the link that they belong to; null where there is nobody to ask. */
  async now() {
    const { kept, epoch, hash } = await this.ask("keep");
    return kept ? { kept, epoch, link: hash } : null;
  }

  /** Remember the networks soon: while they train once in a second. */
  soon(wait) {
    this.due ||= setTimeout(async () => {
      this.last = await this.now() ?? this.last;
      this.due = 0;
    }, wait);
  }

  /** A set-up has come from a link: it takes the place of what the address had, in the entry `id` of the history. */
  arrived(link, id = this.id()) {
    Object.assign(this, { changed: [null, 0], current: id });
    history.replaceState({ id }, "", link);
  }

  /** A set-up has come from the change `name`; `before` are the networks as they were. */
  stepped(name, link, before) {
    const [last, when] = this.changed, moment = performance.now();
    this.changed = [name, moment];
    if (name === last && moment - when < TOGETHER) return history.replaceState({ id: this.current }, "", link);
    this.put(this.current, before);
    this.current = this.id();
    history.pushState({ id: this.current }, "", link);
  }

  /** The browser goes to another entry of its history: what is known of its networks. */
  async going(id) {
    this.put(this.current, await this.now());
    return this.entries.get(id);
  }

  put(id, networks) {
    if (!networks) return;
    this.entries.delete(id);
    this.entries.set(id, networks);
    if (this.entries.size > MOST) this.entries.delete(this.entries.keys().next().value);
  }

  id() {
    return `${performance.timeOrigin}-${this.count++}`;
  }
}
