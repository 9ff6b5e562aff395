// Judges what the page gives: whether it is there, of the right kind, at once or later, and not empty.
// Evaluated before `adapter.js`, which is called with what this returns.
({contract, answerMs}) => {
  class Broken extends Error {}
  const isLater = (value) => typeof value?.then === 'function';
  const bytes = (value) => (Array.isArray(value) ? value.length : value?.byteLength) > 0;
  const KINDS = {
    any: () => true,
    function: (value) => typeof value === 'function',
    text: (value) => typeof value === 'string' && value !== '',
    object: (value) => typeof value === 'object' && value !== null && !isLater(value),
    bytes,
  };
  const described = (value) => {
    if (value === undefined || value === null) return 'nothing';
    if (value === '') return 'an empty text';
    if (isLater(value)) return 'a promise';
    return {number: 'a number', string: 'a text', boolean: 'a Boolean', function: 'a function'}[typeof value] ?? 'an object';
  };
  const holds = (value) => (typeof value === 'object' && value !== null && !isLater(value)) || typeof value === 'function';

  const part = (module) => {
    try { return window[contract.require](module); } catch { return undefined; }
  };
  // What stands under a name of the table, and what is wrong with it.
  const load = (name) => {
    try {
      return loaded(name);
    } catch { // the page's own error, when one of them is read
      return {object: undefined, faults: [`${contract.objects[name].modules.join('+')} fails`]};
    }
  };
  const loaded = (name) => {
    const {modules, path, members} = contract.objects[name];
    const parts = modules.map(part);
    const faults = modules.filter((_, index) => !parts[index]).map((module) => `${module} is missing`);
    parts.forEach((found, index) => { if (found && !holds(found)) faults.push(`${modules[index]} is ${described(found)}`); });
    if (faults.length) return {object: undefined, faults};
    const whole = parts.length === 1 ? parts[0] : Object.assign({}, ...parts);
    const object = path ? whole[path] : whole;
    if (!holds(object)) {
      const what = path in whole ? described(object) : 'missing';
      return {object: undefined, faults: [`${modules[0]}.${path} is ${what}`]};
    }
    // A table of an earlier version lists the members without their kinds.
    const kinds = Array.isArray(members) ? members.map((member) => [member, 'any']) : Object.entries(members);
    for (const [member, kind] of kinds) {
      if (!(member in object)) faults.push(`${label(name, member)} is missing`);
      else if (!KINDS[kind](object[member])) faults.push(`${label(name, member)} is ${described(object[member])}`);
    }
    return {object, faults};
  };
  // A member's name as the table has it; of several modules the one that has the member.
  const label = (name, member) => {
    const {modules, path} = contract.objects[name];
    const first = member.split('.')[0];
    const owner = modules.length > 1 && modules.find((module) => { const found = part(module); return holds(found) && first in found; });
    return [owner || modules.join('+'), path, member].filter(Boolean).join('.');
  };

  const within = (value, name, patience = answerMs) => Promise.race([
    value,
    new Promise((_, reject) => { setTimeout(() => reject(new Broken(`${name} does not answer`)), patience); }),
  ]);
  // What a part of a code is: judged, waited for, and `noted` when it comes later than the table says, or at once.
  const answer = async (name, make, {later = false, kind, noted}) => {
    let value;
    try { value = make(); } catch { throw new Broken(`${name} fails`); }
    if (isLater(value) !== later) noted(`${name} is ${later ? 'no longer' : 'now'} a promise`);
    try {
      value = await within(value, name);
    } catch (error) {
      throw error instanceof Broken ? error : new Broken(`${name} fails`);
    }
    if (!KINDS[kind](value)) throw new Broken(`${name} gives ${described(value)}`);
    return value;
  };
  // What stands there now, nothing where reading it fails.
  const read = (object, name) => {
    try { return object?.[name]; } catch { return undefined; }
  };
  // Tells whether something has been so for longer than the page is given to answer.
  const since = {};
  const lasts = (what, isSo) => {
    if (!isSo) delete since[what];
    else since[what] ??= performance.now();
    return isSo && performance.now() - since[what] >= answerMs;
  };
  return {Broken, KINDS, isLater, described, load, label, read, within, answer, lasts};
}
