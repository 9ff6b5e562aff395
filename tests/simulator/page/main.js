// The page's life: what is on the disk decides whether it logs in or shows a QR code; what the server says moves it on.

import * as chats from "./chats.js";
import * as disk from "./disk.js";
import * as keys from "./keys.js";
import { Linking } from "./linking.js";
import { Cmd, Conn, Socket } from "./models.js";
import { expose } from "./modules.js";
import * as records from "./records.js";

const TERMINAL = { client_outdated: "DEPRECATED_VERSION", temporary_ban: "TOS_BLOCK", proxy_block: "PROXYBLOCK" };
const TIMEOUT_AFTER_MS = 10_000;
const run = crypto.randomUUID(); // tells a page that comes back from a second browser
const linking = new Linking(say);
let knobs = JSON.parse(document.getElementById("knobs").textContent);
linking.keepsOldRef = knobs.idle_fault === "old_ref";
let wire = null;
let ended = false; // refused or replaced: no further attempt unless somebody asks for one
let leaving = false;
let attempts = 0;
let lostAt = 0;
let syncing = false; // once a page: a connection that is lost meanwhile does not begin it anew
let synced = false;
let inTurn = Promise.resolve();
const loggedOut = Promise.withResolvers();

function say(frame) {
  if (wire?.readyState === WebSocket.OPEN) wire.send(JSON.stringify(frame));
}

function connect() {
  const socket = new WebSocket(`wss://${location.host}/socket`);
  wire = socket;
  if (!Socket.state.startsWith("UNPAIRED")) Socket.become("OPENING");
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    // One after the other: a step must be on the disk before the next frame is looked at.
    if (frame.type === "ask") answer(frame);
    else inTurn = inTurn.then(() => (wire === socket ? HANDLERS[frame.type](frame) : undefined));
  };
  socket.onclose = () => {
    if (wire === socket && !ended && !leaving) comeBack();
  };
}

function comeBack() {
  if (!lostAt) lostAt = Date.now();
  if (synced) Socket.become(Date.now() - lostAt < TIMEOUT_AFTER_MS ? "OPENING" : "TIMEOUT");
  setTimeout(connect, Math.min(5000, 250 * 2 ** attempts));
  attempts += 1;
}

async function answer({ request, what }) {
  if (what === "verify") say({ type: "answer", request, result: await records.verify() });
  if (what === "crash") {
    say({ type: "answer", request, result: {} });
    setTimeout(crash, 50);
  }
}

// A text longer than Chromium's allocator ever gives out ends the renderer process at once (and touches no memory: the
// bytes to decode are never written).
function crash() {
  new TextDecoder().decode(new Uint8Array(2 ** 31 + 2 ** 20));
}

function crashIf(moment) {
  if (knobs.crash_at === moment) crash();
}

async function link() {
  await keys.generate();
  say({ type: "link", run, noise: keys.encodeB64(keys.fresh.noisePublic), identity: keys.encodeB64(keys.fresh.identityPublic) });
}

async function leave() {
  if (knobs.logout_fault === "silent" && Socket.state === "CONNECTED") {
    ended = true;
    chats.me.wid = null;
    return;
  }
  leaving = true;
  linking.stop();
  records.keepWriting({ write_interval_s: 0 });
  await disk.wipe();
  Cmd.emit("logout");
  loggedOut.resolve();
  if (knobs.logout_fault === "stays") {
    Socket.withdraw();
    Socket.announce(false);
    return;
  }
  if (knobs.logout_fault === "returns") {
    Socket.become("OPENING");
    setTimeout(() => Socket.become("CONNECTED"), 500);
    return;
  }
  if (knobs.logout_fault === "opening" || knobs.logout_fault.startsWith("unpaired")) {
    Socket.become(knobs.logout_fault.toUpperCase());
    return;
  }
  setTimeout(() => location.replace("/?post_logout=1&logout_reason=0"), 100);
}

async function firstSync(seed) {
  syncing = true;
  if (knobs.sync_fault === "never") {
    await records.sync(seed, { ...knobs, sync_s: 0 });
    return;
  }
  const { records: written, size } = await records.sync(seed, knobs);
  synced = true;
  say({ type: "synced", records: written, size });
  Socket.announce(knobs.sync_fault !== "early");
  show();
  crashIf("synced");
  records.keepWriting(knobs);
  if (knobs.sync_fault === "flapping") {
    for (let flap = 0; flap < knobs.flaps; flap += 1) {
      await new Promise((resolve) => setTimeout(resolve, knobs.flap_s * 1000));
      Socket.withdraw();
      Socket.announce(false);
    }
  }
}

async function againOnLine() {
  const { written, size } = await disk.get("meta", "sync");
  say({ type: "synced", records: written, size });
  if (knobs.sync_fault === "again_on_reconnect") {
    Socket.withdraw();
    Socket.announce(false);
  }
}

const HANDLERS = {
  async challenge({ nonce }) {
    const login = await keys.stored();
    if (login) say({ type: "login", run, device: login.device, step: login.step, ...(await keys.prove(login, nonce)) });
    else await link();
  },
  refs: ({ refs }) => linking.take(refs),
  code: ({ code }) => linking.takeCode(code),
  passkey({ challenge }) {
    linking.passkey(challenge);
  },
  async paired({ device, wid, proof }) {
    if (!(await linking.isProven(proof))) return;
    linking.stop();
    Socket.become("PAIRING");
    await keys.keep(device, wid);
    say({ type: "paired" });
    crashIf("linked");
    const old = wire;
    connect();
    old.close();
  },
  accepted(frame) {
    attempts = 0;
    lostAt = 0;
    knobs = frame.knobs;
    chats.me.wid = new chats.Wid(frame.wid);
    Object.assign(Conn, { wid: chats.me.wid, pushname: frame.pushname, platform: frame.platform });
    Socket.become("CONNECTED");
    if (synced) againOnLine();
    else if (!syncing) firstSync(frame.seed);
  },
  async rejected({ reason }) {
    if (reason === "logged_out") {
      await leave();
      return;
    }
    await disk.wipe();
    await link();
  },
  logged_out: leave,
  refused({ reason }) {
    end(TERMINAL[reason]);
  },
  conflict() {
    end("CONFLICT");
  },
  async step({ step }) {
    await disk.put({ login: [["step", step]] }, "strict");
    say({ type: "ack", step });
  },
  async message({ step, message }) {
    await disk.put({ login: [["step", step]], messages: [[message.id, message]] }, "strict");
    say({ type: "ack", step });
    chats.received(message);
  },
  async sent({ id, step }) {
    await disk.put({ login: [["step", step]] }, "strict");
    say({ type: "ack", step });
    chats.acknowledge(id);
  },
  knobs({ knobs: changed }) {
    knobs = changed;
    if (synced) records.keepWriting(knobs);
  },
};

function end(state) {
  ended = true;
  linking.stop();
  Socket.become(state);
  wire.close();
}

function again() {
  ended = false;
  wire?.close();
  connect();
}

let shown = false;

function show() {
  if (!shown) expose(linking, knobs);
  shown = true;
}

async function start() {
  await new Promise((resolve) => setTimeout(resolve, knobs.page_delay_s * 1000));
  crashIf("load");
  await disk.open();
  const login = await keys.stored();
  Socket.on("change:state", (_, state) => say({ type: "state", state }));
  Object.assign(Socket, {
    takeover: again,
    reconnect: again,
    logout: () => {
      say({ type: "logout" });
      return loggedOut.promise;
    },
  });
  Object.assign(window, { simulator: { verify: records.verify, crash } });
  chats.sendBy((message) => say({ type: "message", ...message }));
  window.addEventListener("pagehide", () => {
    leaving = true;
    wire?.close();
  });
  // With this fault who attaches a listener to a page that logs in comes too late.
  if (!(login && knobs.sync_fault === "early")) show();
  connect();
}

start();
