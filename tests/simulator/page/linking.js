// Showing refs in turn, asking for codes, passing a passkey: all that happens until a phone has linked the page.

import * as keys from "./keys.js";
import { Conn, Socket } from "./models.js";

export class Linking {
  constructor(say) {
    this.say = say;
    this.refs = [];
    this.timer = null;
    this.codes = [];
    this.secret = null; // the pairing code, when the page was linked by one
    this.keepsOldRef = false; // a fault: asks for a link with the ref that has passed, until new ones are there
  }

  refresh() {
    if (!this.keepsOldRef) {
      this.say({ type: "refresh" });
      return;
    }
    Socket.become("UNPAIRED");
    Conn.show(Conn.ref);
    setTimeout(() => this.say({ type: "refresh" }), 500);
  }

  // Refs come in one batch with how long each is shown; the page turns them over by the clock, not by counting its timers:
  // a browser that was stopped for a while comes back to the ref that is due.
  take(refs) {
    let end = Date.now();
    this.refs = refs.map(({ ref, seconds }) => ({ ref, end: (end += seconds * 1000) }));
    this.turn();
  }

  turn() {
    clearTimeout(this.timer);
    const due = this.refs.find(({ end }) => end > Date.now());
    if (!due) {
      Socket.become("UNPAIRED_IDLE");
      return;
    }
    if (Conn.ref !== due.ref) Conn.show(due.ref);
    Socket.become("UNPAIRED");
    this.timer = setTimeout(() => this.turn(), due.end - Date.now());
  }

  stop() {
    clearTimeout(this.timer);
    this.refs = [];
  }

  code(number) {
    this.say({ type: "ask_code", number: String(number).replace(/\D/g, "") });
    return new Promise((resolve) => this.codes.push(resolve));
  }

  takeCode(code) {
    this.secret = code;
    this.codes.splice(0).forEach((resolve) => resolve(code));
  }

  async isProven(proof) {
    if (await keys.isProven(proof, keys.decodeB64(keys.advSecret()))) return true;
    return this.secret !== null && keys.isProven(proof, new TextEncoder().encode(this.secret));
  }

  // The prompt that some accounts must pass; it stays until somebody does.
  async passkey(challenge) {
    this.stop();
    Socket.become("PAIRING");
    const button = document.getElementById("passkey");
    button.hidden = false;
    button.onclick = () => this.passkey(challenge);
    const publicKey = { challenge: new TextEncoder().encode(challenge), rpId: location.hostname, timeout: 60000 };
    try {
      await navigator.credentials.get({ publicKey });
      button.hidden = true;
      this.say({ type: "passkey", passed: true });
    } catch {
      this.say({ type: "passkey", passed: false });
    }
  }
}
