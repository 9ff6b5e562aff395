// The device's keys. The first is a non-extractable key that lives in IndexedDB, the second lives in localStorage. They are
// in memory only until the phone has linked the page; then both go to the disk, each to its own storage.

import * as disk from "./disk.js";

const ED25519 = { name: "Ed25519" };

export function encodeB64(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text);
}

export function decodeB64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export const fresh = { noise: null, identity: null, noisePublic: null, identityPublic: null };

export async function generate() {
  fresh.noise = await crypto.subtle.generateKey(ED25519, false, ["sign", "verify"]);
  fresh.identity = await crypto.subtle.generateKey(ED25519, true, ["sign", "verify"]);
  fresh.noisePublic = new Uint8Array(await crypto.subtle.exportKey("raw", fresh.noise.publicKey));
  fresh.identityPublic = new Uint8Array(await crypto.subtle.exportKey("raw", fresh.identity.publicKey));
  if (!localStorage.getItem("WAAdvSecretKey")) {
    localStorage.setItem("WAAdvSecretKey", JSON.stringify(encodeB64(crypto.getRandomValues(new Uint8Array(32)))));
  }
}

export function advSecret() {
  return JSON.parse(localStorage.getItem("WAAdvSecretKey"));
}

// Return whether the phone that linked this page knows what only its screen showed.
export async function isProven(proof, secret) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const text = new Uint8Array([...fresh.noisePublic, ...fresh.identityPublic]);
  return crypto.subtle.verify("HMAC", key, decodeB64(proof), text);
}

export async function keep(device, wid) {
  const secret = encodeB64(await crypto.subtle.exportKey("pkcs8", fresh.identity.privateKey));
  localStorage.setItem("WAIdentityKey", JSON.stringify({ device, secret }));
  localStorage.setItem("last-wid-md", JSON.stringify(wid));
  await disk.put({ login: [["login", { device, wid }], ["noise", fresh.noise], ["step", 0]] }, "strict");
}

// Return the login that is on the disk, whole or half, or null when there is none.
export async function stored() {
  const login = await disk.get("login", "login");
  const second = JSON.parse(localStorage.getItem("WAIdentityKey") ?? "null");
  const device = login?.device ?? second?.device;
  if (!device) return null;
  const step = (await disk.get("login", "step")) ?? 0;
  return { device, step, noise: await disk.get("login", "noise"), secret: second?.secret ?? null };
}

async function signature(key, text) {
  return encodeB64(await crypto.subtle.sign(ED25519, key, new TextEncoder().encode(text)));
}

export async function prove(login, nonce) {
  const text = `login|${nonce}|${login.device}|${login.step}`;
  const identity = login.secret
    && await crypto.subtle.importKey("pkcs8", decodeB64(login.secret), ED25519, false, ["sign"]);
  return {
    noise: login.noise ? await signature(login.noise.privateKey, text) : null,
    identity: identity ? await signature(identity, text) : null,
  };
}
