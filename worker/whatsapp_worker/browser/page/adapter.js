// Runs in the page, once for each load. Everything it knows of the page stands in `contract`.
// It reports through window[binding](event) and answers through window[api].
async ({contract, binding, api, patienceMs, sentinelPrefix}) => {
  if (window[api]) return;
  const status = performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0;
  if (status >= 400) return window[binding]({kind: 'foreign', status, missing: []}).catch(() => {});
  const report = (event) => window[binding](event).catch(() => {});
  const version = () => contract.version.reduce((at, name) => at?.[name], window);
  const deadline = Date.now() + patienceMs;
  while (!(typeof window[contract.require] === 'function' && version())) {
    if (Date.now() > deadline) {
      const missing = [];
      if (typeof window[contract.require] !== 'function') missing.push(`window.${contract.require}`);
      if (!version()) missing.push(`window.${contract.version.join('.')}`);
      return report(missing.length === 2 ? {kind: 'foreign', status, missing} : {kind: 'contract', missing, session: true});
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const load = (name) => {
    const entry = contract.objects[name];
    const parts = entry.modules.map((module) => {
      try { return window[contract.require](module); } catch { return undefined; }
    });
    const missing = entry.modules.filter((_, index) => !parts[index]);
    const whole = parts.length === 1 ? parts[0] : Object.assign({}, ...parts);
    const object = entry.path ? whole?.[entry.path] : whole;
    if (!missing.length && object) {
      for (const member of entry.members) {
        if (!(member in object)) missing.push([entry.modules.join('+'), entry.path, member].filter(Boolean).join('.'));
      }
    } else if (!missing.length) missing.push(`${entry.modules[0]}.${entry.path}`);
    return {object, missing};
  };
  const objects = {}, missing = {};
  for (const name of Object.keys(contract.objects)) {
    const found = load(name);
    objects[name] = found.object;
    if (found.missing.length) (missing[contract.objects[name].neededFor] ??= []).push(...found.missing);
  }
  if (missing.session) return report({kind: 'contract', missing: [...new Set(missing.session)], session: true});
  const {socket, conn, cmd, me} = objects;

  const synced = () => socket[contract.attributes.synced] === true;
  const account = () => {
    // The number where there is one: an id that stays. Before the page has synced, that it is missing says nothing.
    const user = me.getMaybeMePnUser() ?? (synced() ? me.getMaybeMeLidUser?.() : null);
    if (!user) return null;
    let more = {};
    try { more = conn.serialize() ?? {}; } catch { /* not there before the link */ }
    return {id: user._serialized, pushname: more.pushname ?? '', platform: more.platform ?? ''};
  };
  const facts = () => ({
    state: socket[contract.attributes.state] ?? null,
    synced: synced(),
    account: account(),
    version: String(version()),
  });

  // Some accounts must pass a passkey to link: the page then asks the browser's authenticator, and no headless one answers.
  const credentials = navigator.credentials;
  if (credentials && !credentials[api]) {
    const original = credentials.get.bind(credentials);
    credentials[api] = true;
    credentials.get = (options) => { if (options?.publicKey) report({kind: 'passkey'}); return original(options); };
  }

  let asked = '';
  const showQr = async () => {
    const ref = conn[contract.attributes.ref];
    if (!ref || ref === asked || account()) return;
    asked = ref;
    if (missing.qr) return report({kind: 'contract', missing: [...new Set(missing.qr)], session: false});
    const {registration, base64, multidevice} = objects;
    const noise = await registration.waNoiseInfo.get();
    const info = await registration.waSignalStore.getRegistrationInfo();
    const code = [
      ref,
      base64.encodeB64(noise.staticKeyPair.pubKey),
      base64.encodeB64(info.identityKeyPair.pubKey),
      multidevice.getADVSecretKey(),
      registration.DEVICE_PLATFORM,
    ].join(',');
    if (conn[contract.attributes.ref] === ref) report({kind: 'qr', code});
  };

  window[api] = {
    facts,
    refreshQr: () => { asked = ''; return objects.refresh?.refreshQR?.(); },
    pairingCode: async (phone, notify) => {
      if (missing.code) { report({kind: 'contract', missing: [...new Set(missing.code)], session: false}); return null; }
      objects.pairing.setPairingType(contract.pairingType);
      await objects.pairing.initializeAltDeviceLinking();
      return objects.pairing.startAltLinkingFlow(phone, notify);
    },
    logout: () => socket.logout?.(),
    takeOver: () => socket.takeover?.(),
    reconnect: () => socket.reconnect?.(),
    writeSentinel: (key, value) => localStorage.setItem(key, value),
    removeSentinel: (key) => localStorage.removeItem(key),
    storage: async () => Object.keys((await navigator.storage.estimate()).usageDetails ?? {}),
  };
  navigator.storage.persist?.().catch(() => {});
  for (const key of Object.keys(localStorage)) if (key.startsWith(sentinelPrefix)) localStorage.removeItem(key);

  socket.on(contract.events.state, () => { report({kind: 'state', ...facts()}); showQr(); });
  socket.on(contract.events.synced, () => report({kind: 'synced', ...facts()}));
  conn.on(contract.events.ref, () => showQr());
  cmd.on(contract.events.progress, () => {
    const percent = objects.offline?.getOfflineDeliveryProgress?.();
    if (typeof percent === 'number') report({kind: 'progress', percent: Math.round(percent)});
  });
  for (const name of contract.events.logout) cmd.on(name, () => report({kind: 'logout'}));
  report({kind: 'attached', ...facts()});
  showQr();
}
