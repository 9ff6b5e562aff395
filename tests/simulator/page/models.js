// The models that the page's state lives in: socket, connection, commands, progress.

import { Emitter } from "./emitter.js";

class SocketModel extends Emitter {
  constructor() {
    super();
    this.state = "UNLAUNCHED";
    this.hasSynced = false;
    this.unheard = false;
  }

  on(event, listener) {
    super.on(event, listener);
    if (event === "change:hasSynced" && this.unheard) {
      this.unheard = false;
      setTimeout(() => this.emit("change:hasSynced", this, true));
    }
    return this;
  }

  become(state) {
    if (state === this.state) return;
    this.state = state; // before the event: a listener reads the new value
    document.getElementById("status").textContent = state;
    this.emit("change:state", this, state);
  }

  // Tell that the page has synced; `queued`: keep the news until somebody listens.
  announce(queued) {
    this.hasSynced = true;
    if (this.has("change:hasSynced")) this.emit("change:hasSynced", this, true);
    else this.unheard = queued;
  }

  withdraw() {
    this.hasSynced = false;
    this.emit("change:hasSynced", this, false);
  }
}

class ConnModel extends Emitter {
  constructor() {
    super();
    this.ref = undefined;
    this.pushname = undefined;
    this.platform = undefined;
    this.wid = undefined;
    this.battery = undefined;
    this.plugged = undefined;
  }

  show(ref) {
    this.ref = ref;
    this.emit("change:ref", this, ref);
  }

  serialize() {
    return { ...this, wid: this.wid && { ...this.wid } };
  }
}

class StreamModel extends Emitter {
  constructor() {
    super();
    this.available = false;
  }

  markAvailable() { this.available = true; }

  markUnavailable() { this.available = false; }
}

export const Socket = new SocketModel();
export const Conn = new ConnModel();
export const Stream = new StreamModel();
export const Cmd = new Emitter();
export const progress = { percent: 0 };

export function setProgress(percent) {
  if (percent === progress.percent) return;
  progress.percent = percent;
  Cmd.emit("offline_progress_update_from_bridge");
}
