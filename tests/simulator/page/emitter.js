// Events as the page's models have them: on, once, off; one listener that throws does not stop the others.

export class Emitter {
  constructor() {
    // Not enumerable: models are copied and serialised by who uses the page.
    Object.defineProperty(this, "listeners", { value: new Map() });
  }

  on(events, listener) {
    for (const event of events.split(" ")) {
      if (!this.listeners.has(event)) this.listeners.set(event, []);
      this.listeners.get(event).push(listener);
    }
    return this;
  }

  once(event, listener) {
    const first = (...details) => {
      this.off(event, first);
      listener(...details);
    };
    return this.on(event, first);
  }

  off(event, listener) {
    const kept = (this.listeners.get(event) ?? []).filter((other) => listener && other !== listener);
    this.listeners.set(event, kept);
    return this;
  }

  has(event) {
    return (this.listeners.get(event) ?? []).length > 0;
  }

  emit(event, ...details) {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      try {
        listener(...details);
      } catch (error) {
        setTimeout(() => { throw error; });
      }
    }
  }
}
