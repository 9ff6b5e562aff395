// The account's data: synced once after a link, each record with its checksum, then checked or rewritten on request.

import * as disk from "./disk.js";
import { setProgress } from "./models.js";

const BATCH_BYTES = 1_000_000;
const RING = 256; // steady writing replaces the oldest of this many records, so that files come and go
const COMPRESSIBLE = 0.42; // the share of a value that a zip can squeeze, as in a real profile

async function checksum(data) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function value(seed, index, size) {
  const data = new Uint8Array(size);
  const words = new Uint32Array(data.buffer, 0, size >> 2);
  let state = (seed ^ Math.imul(index + 1, 0x9e3779b1)) | 1;
  const end = Math.floor(words.length * (1 - COMPRESSIBLE));
  for (let position = 0; position < end; position += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[position] = state;
  }
  return data;
}

async function record(seed, index, key, size) {
  const data = value(seed, index, size);
  return { index, key, sum: await checksum(data), data };
}

function plan(knobs) {
  const large = Math.floor((knobs.sync_bytes * knobs.large_share) / knobs.large_value_bytes);
  const small = Math.floor((knobs.sync_bytes - large * knobs.large_value_bytes) / knobs.small_value_bytes);
  return { total: large + small, size: (index) => (index < large ? knobs.large_value_bytes : knobs.small_value_bytes) };
}

// Write what is not on the disk yet and show progress for at least sync_s; returns {records, size}.
export async function sync(seed, knobs) {
  const start = performance.now();
  const known = await disk.get("meta", "sync");
  const meta = known ?? { seed, written: 0, size: 0, ...sizes(knobs) };
  const { total, size } = plan(meta);
  const elapsed = () => (knobs.sync_s > 0 ? (performance.now() - start) / (knobs.sync_s * 1000) : 1);
  const show = () => setProgress(Math.floor(100 * Math.min(elapsed(), total ? meta.written / total : 1)));
  while (meta.written < total) {
    const batch = [];
    let bytes = 0;
    while (meta.written < total && bytes < BATCH_BYTES) {
      const made = await record(meta.seed, meta.written, meta.written, size(meta.written));
      batch.push([meta.written, made]);
      meta.written += 1;
      bytes += made.data.length;
    }
    meta.size += bytes;
    await disk.put({ records: batch, meta: [["sync", meta]] });
    show();
  }
  if (!known) await disk.put({ meta: [["sync", meta]] }, "strict");
  while (elapsed() < 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    show();
  }
  setProgress(100);
  return { records: meta.written, size: meta.size };
}

function sizes({ sync_bytes, large_share, large_value_bytes, small_value_bytes }) {
  return { sync_bytes, large_share, large_value_bytes, small_value_bytes };
}

// Recompute every checksum; `missing` counts records that were once complete and are gone.
export function verify() {
  return alone(async () => {
    const meta = await disk.get("meta", "sync");
    const written = (await disk.get("meta", "ring"))?.next ?? 0;
    const first = Math.max(0, written - RING);
    const synced = await check("records", (item) => item.index === item.key);
    const ring = await check("ring", (item) => item.index >= first && item.index % RING === item.key);
    const expected = (meta ? plan(meta).total : 0) + (written - first);
    const records = synced.records + ring.records;
    const bad = synced.bad + ring.bad;
    const missing = Math.max(0, expected - records);
    const bytes = synced.bytes + ring.bytes;
    return { ok: Boolean(meta) && bad === 0 && missing === 0, records, expected, bad, missing, bytes, written };
  });
}

async function check(store, isInPlace) {
  const seen = { records: 0, bad: 0, bytes: 0 };
  let range = null;
  for (;;) {
    const items = await disk.getAll(store, range, 64);
    if (!items.length) return seen;
    for (const item of items) {
      seen.records += 1;
      seen.bytes += item.data.length;
      if (!isInPlace(item) || (await checksum(item.data)) !== item.sum) seen.bad += 1;
    }
    range = IDBKeyRange.lowerBound(items[items.length - 1].key, true);
  }
}

// Writing and checking take turns: a check in the middle of a write would see what is not there yet.
let turn = Promise.resolve();

function alone(work) {
  const result = turn.then(work);
  turn = result.catch(() => undefined);
  return result;
}

let writer = 0; // the number of the loop that may run; another number ends it

// Start, change or stop steady writing; a disk that is slower than the rate sets the pace.
export async function keepWriting(knobs) {
  writer += 1;
  const mine = writer;
  let due = performance.now();
  while (mine === writer && knobs.write_interval_s > 0) {
    await alone(() => writeOne(knobs.write_bytes));
    due = Math.max(due + knobs.write_interval_s * 1000, performance.now() - 100);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
}

async function writeOne(bytes) {
  const index = (await disk.get("meta", "ring"))?.next ?? 0;
  const made = await record(0x5eed, index, index % RING, bytes);
  await disk.put({ ring: [[index % RING, made]], meta: [["ring", { next: index + 1 }]] });
}
