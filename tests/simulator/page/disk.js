// What survives the page: IndexedDB (login marker, first key, ratchet step, records, messages) and localStorage (second key).

const STORES = ["login", "records", "ring", "messages", "meta"];
let database;

function request(made) {
  return new Promise((resolve, reject) => {
    made.onsuccess = () => resolve(made.result);
    made.onerror = () => reject(made.error);
  });
}

export async function open() {
  const opening = indexedDB.open("wawc", 1);
  opening.onupgradeneeded = () => STORES.forEach((store) => opening.result.createObjectStore(store));
  database = await request(opening);
}

export function get(store, key) {
  return request(database.transaction(store).objectStore(store).get(key));
}

export function getAll(store, query, count) {
  return request(database.transaction(store).objectStore(store).getAll(query, count));
}

export function count(store) {
  return request(database.transaction(store).objectStore(store).count());
}

// Put {store: {key: value}} in one transaction; resolves when it is complete ("strict": when it is on the disk).
export function put(values, durability = "relaxed") {
  const transaction = database.transaction(Object.keys(values), "readwrite", { durability });
  for (const [store, entries] of Object.entries(values)) {
    for (const [key, value] of entries) transaction.objectStore(store).put(value, key);
  }
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

export async function wipe() {
  const transaction = database.transaction(STORES, "readwrite", { durability: "strict" });
  STORES.forEach((store) => transaction.objectStore(store).clear());
  localStorage.clear();
  await new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
