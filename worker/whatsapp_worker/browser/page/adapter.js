// Runs in the page, once for each load. Everything it knows of the page stands in `contract`; `values.js` judges it.
// It reports through window[binding](event) and answers through window[api].
async ({contract, binding, api, patienceMs, answerMs, lookMs, sentinelPrefix}, makeValues) => {
  if (window[api]) return;
  const {Broken, KINDS, isLater, described, load, label, read, within, answer, lasts} = makeValues({contract, answerMs});
  const status = performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0;
  if (status >= 400) return window[binding]({kind: 'foreign', status, broken: []}).catch(() => {});
  const report = (event) => window[binding](event).catch(() => {});
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  // Each fault once for each load: `need` says what does not work, `certain` that no other load helps.
  const told = new Set();
  let held = null; // what is found while the page's facts are read; it is reported after them
  const broken = (need, faults, certain = true) => {
    const fresh = [...new Set(faults)].filter((fault) => !told.has(fault));
    fresh.forEach((fault) => told.add(fault));
    const event = {kind: 'contract', broken: fresh, need, certain};
    if (fresh.length) held ? held.push(event) : report(event);
  };

  const version = () => contract.version.reduce(read, window);
  const versionName = `window.${contract.version.join('.')}`;
  const deadline = performance.now() + patienceMs;
  const early = [];
  for (;;) {
    const requires = typeof window[contract.require] === 'function', has = version() !== undefined;
    if (requires && KINDS.text(version())) break;
    if (lasts('require', requires)) {
      early.push(`${versionName} is ${has ? described(version()) : 'missing'}`);
      break;
    }
    if (lasts('version', !requires && has) || (has && performance.now() > deadline)) {
      return broken('session', [`window.${contract.require} is ${contract.require in window ? described(window[contract.require]) : 'missing'}`]);
    }
    if (performance.now() > deadline) return report({kind: 'foreign', status, broken: [`window.${contract.require}`, versionName]});
    await pause(50);
  }

  // Modules may come a little later than `require` does: a session waits for its own, the others are looked at again.
  let objects, faults;
  const loadAll = () => {
    const found = Object.keys(contract.objects).map((name) => [name, load(name)]);
    objects = Object.fromEntries(found.map(([name, {object}]) => [name, object]));
    faults = {session: [], qr: [], code: []};
    for (const [name, its] of found) (faults[contract.objects[name].neededFor] ??= []).push(...its.faults);
    return Object.values(faults).some((each) => each.length);
  };
  let faulty = loadAll();
  for (; faults.session.length; faulty = loadAll()) {
    if (lasts('faults', true)) return broken('session', faults.session);
    await pause(100);
  }
  lasts('faults', faulty);
  const {socket, cmd} = objects;
  const attribute = contract.attributes;

  const state = () => read(socket, attribute.state);
  const synced = () => read(socket, attribute.synced) === true;
  const refOf = () => read(objects.conn, attribute.ref);
  // The id of who is linked, null for nobody; throws Broken for anything that is neither.
  const person = (object, member) => {
    const name = `${label(object, member)}()`;
    let user;
    try { user = objects[object][member](); } catch { throw new Broken(`${name} fails`); }
    if (user === null || user === undefined) return null;
    if (!KINDS.object(user)) throw new Broken(`${name} gives ${described(user)}`);
    const id = read(user, attribute.id);
    if (!KINDS.text(id)) throw new Broken(`${name}.${attribute.id} gives ${described(id)}`);
    if (!/^[^@\s]+@[^@\s]+$/.test(id)) throw new Broken(`${name}.${attribute.id} gives a text that is no id`);
    return id;
  };
  const hiddenId = () => (KINDS.function(objects.hidden?.getMaybeMeLidUser) ? person('hidden', 'getMaybeMeLidUser') : null);
  const more = () => {
    const {names} = objects;
    if (!KINDS.function(names?.serialize)) return {};
    const name = `${label('names', 'serialize')}()`;
    try {
      const found = names.serialize();
      if (!KINDS.object(found)) throw new Broken(`${name} gives ${described(found)}`);
      if (!('pushname' in found || 'platform' in found)) throw new Broken(`${name} names nobody`);
      for (const each of ['pushname', 'platform']) {
        if (found[each] && typeof found[each] !== 'string') throw new Broken(`${name}.${each} gives ${described(found[each])}`);
      }
      return found;
    } catch (error) {
      broken('names', [error instanceof Broken ? error.message : `${name} fails`]);
      return {};
    }
  };
  let accountFault = '';
  const account = () => {
    accountFault = '';
    try {
      // The number where there is one: an id that stays. Before the page has synced, that it is missing says nothing.
      const id = person('me', 'getMaybeMePnUser') ?? (synced() ? hiddenId() : null);
      if (!id) return null;
      const {pushname, platform} = more();
      return {id, pushname: pushname || '', platform: platform || ''};
    } catch (error) {
      accountFault = error.message;
      return null;
    }
  };
  const facts = () => ({
    state: KINDS.text(state()) ? state() : null,
    synced: synced(),
    account: account(),
    version: KINDS.text(version()) ? version() : '',
  });
  let known = '';
  const tell = (kind) => {
    held = [];
    const seen = facts(), found = held;
    held = null;
    known = JSON.stringify([seen.state, seen.synced, !!seen.account]);
    report({kind, ...seen});
    found.forEach(report); // not before: a page that is attached has no faults yet
  };

  // Some accounts must pass a passkey to link: the page then asks the browser's authenticator, and no headless one answers.
  const credentials = navigator.credentials;
  if (credentials && !credentials[api]) {
    const original = credentials.get.bind(credentials);
    credentials[api] = true;
    credentials.get = (options) => { if (options?.publicKey) report({kind: 'passkey'}); return original(options); };
  }

  const note = (fault) => broken('note', [fault]);
  const codeParts = async (ref) => {
    const {registration, base64, multidevice} = objects;
    const [noiseName, infoName] = [label('registration', 'waNoiseInfo.get()'), label('registration', 'waSignalStore.getRegistrationInfo()')];
    const noise = await answer(noiseName, () => registration.waNoiseInfo.get(), {later: true, kind: 'object', noted: note});
    const info = await answer(infoName, () => registration.waSignalStore.getRegistrationInfo(), {later: true, kind: 'object', noted: note});
    const encoded = async (name, make) => {
      const key = await answer(name, make, {kind: 'bytes', noted: note});
      return answer(`${label('base64', 'encodeB64')}()`, () => base64.encodeB64(key), {kind: 'text', noted: note});
    };
    const parts = [
      ref,
      await encoded(`${noiseName}.staticKeyPair.pubKey`, () => noise.staticKeyPair.pubKey),
      await encoded(`${infoName}.identityKeyPair.pubKey`, () => info.identityKeyPair.pubKey),
      await answer(`${label('multidevice', 'getADVSecretKey')}()`, () => multidevice.getADVSecretKey(), {kind: 'text', noted: note}),
      await answer(label('registration', 'DEVICE_PLATFORM'), () => registration.DEVICE_PLATFORM, {kind: 'text', noted: note}),
    ];
    return parts.join(',');
  };
  const isEmpty = (ref) => ref === undefined || ref === null || ref === '';
  let shown = '', busy = false, asksAnew = false;
  const showQr = async () => {
    const ref = refOf();
    // A code that was shown once is not shown again: at idle, and until the page has new ones, it is one that has passed.
    if (busy || isEmpty(ref) || ref === shown || state() === contract.states.idle || account() || faults.qr.length) return;
    busy = true;
    lasts('parts', true);
    try {
      if (!KINDS.text(ref)) throw new Broken(`${label('conn', attribute.ref)} is ${described(ref)}`);
      const code = await codeParts(ref);
      lasts('parts', false);
      if (refOf() === ref && state() !== contract.states.idle) {
        [shown, asksAnew] = [ref, false];
        report({kind: 'qr', code});
      }
    } catch (error) {
      if (lasts('parts', true)) broken('qr', [error instanceof Broken ? error.message : 'a part of the QR code fails']);
    } finally {
      busy = false;
    }
  };

  // Whatever an event has not told, and what stays wrong for too long.
  let heardSynced = false;
  const look = () => {
    if (faulty) faulty = loadAll();
    if (lasts('faults', faulty)) {
      for (const [need, its] of Object.entries(faults)) if (need !== 'session') broken(need, its);
      faulty = false;
    }
    const seen = facts();
    if (known !== JSON.stringify([seen.state, seen.synced, !!seen.account])) tell('state');
    if (lasts('state', seen.state === null)) broken('session', [`${label('socket', attribute.state)} is ${described(state())}`]);
    if (lasts('account', !!accountFault)) broken('session', [accountFault]);
    const {unpaired, idle, connected} = contract.states, ref = refOf();
    const codeless = (seen.state === unpaired && (isEmpty(ref) || asksAnew)) || (seen.state === idle && asksAnew);
    if (lasts('code', codeless && !faults.qr.length)) {
      const fault = asksAnew ? `${label('refresh', 'refreshQR')}() gives no new code` : `${label('conn', attribute.ref)} is ${described(ref)}`;
      broken('qr', [fault], false);
    }
    const flag = read(socket, attribute.synced), isFlag = typeof flag === 'boolean';
    const flagName = `${label('socket', attribute.synced)} is ${described(flag)}`;
    if (lasts('flag', !isFlag && flag !== undefined && flag !== null)) broken('note', [flagName]);
    if (lasts('synced', seen.state === connected && !isFlag && !heardSynced)) broken('session', [flagName], false);
    let other = null;
    try { other = hiddenId(); } catch { /* of somebody, whoever it is */ }
    if (lasts('nobody', seen.state === connected && !seen.account && !accountFault && !(other && !seen.synced))) {
      broken('session', [`${label('me', 'getMaybeMePnUser')}() gives nobody`], false);
    }
    showQr();
  };

  window[api] = {
    facts,
    refreshQr: async () => { asksAnew = true; await objects.refresh?.refreshQR?.(); },
    pairingCode: async (phone, notify) => {
      if (faults.code.length) {
        faults.code.forEach((fault) => told.delete(fault));
        broken('code', faults.code);
        return null;
      }
      const {pairing} = objects, name = `${label('pairing', 'startAltLinkingFlow')}()`;
      const end = performance.now() + answerMs * 0.7, left = () => end - performance.now(); // before the caller gives up
      try {
        pairing.setPairingType(contract.pairingType);
        await within(pairing.initializeAltDeviceLinking(), `${label('pairing', 'initializeAltDeviceLinking')}()`, left());
        const code = await within(pairing.startAltLinkingFlow(phone, notify), name, left());
        if (!KINDS.text(code)) throw new Broken(`${name} gives ${described(code)}`);
        return code;
      } catch (error) {
        if (!(error instanceof Broken)) throw error; // WhatsApp's own refusal, such as of too many requests
        told.delete(error.message);
        broken('code', [error.message], false);
        return null;
      }
    },
    logout: () => socket.logout?.(),
    takeOver: () => socket.takeover?.(),
    writeSentinel: (key, value) => localStorage.setItem(key, value),
    removeSentinel: (key) => localStorage.removeItem(key),
    storage: async () => Object.keys((await navigator.storage.estimate()).usageDetails ?? {}),
  };
  navigator.storage.persist?.().catch(() => {});
  for (const key of Object.keys(localStorage)) if (key.startsWith(sentinelPrefix)) localStorage.removeItem(key);

  const on = (object, event, heard) => {
    try { object?.on?.(event, heard); } catch { /* what it would have told is looked at */ }
  };
  on(socket, contract.events.state, () => { tell('state'); showQr(); });
  on(socket, contract.events.synced, () => { heardSynced = true; tell('synced'); });
  on(objects.conn, contract.events.ref, () => showQr());
  on(cmd, contract.events.progress, () => {
    const name = `${label('offline', 'getOfflineDeliveryProgress')}()`;
    let percent;
    try { percent = objects.offline?.getOfflineDeliveryProgress?.(); } catch { percent = undefined; }
    lasts('synced', false); // it is not endless that moves on
    if (Number.isFinite(percent)) report({kind: 'progress', percent: Math.round(percent)});
    else if (KINDS.function(objects.offline?.getOfflineDeliveryProgress)) broken('progress', [`${name} gives ${described(percent)}`]);
  });
  for (const name of contract.events.logout) on(cmd, name, () => report({kind: 'logout'}));
  tell('attached');
  broken('note', early);
  showQr();
  setInterval(look, lookMs);
}
