// Chats and messages: enough for a message to come and to be sent.

import * as disk from "./disk.js";
import { Emitter } from "./emitter.js";

export class Wid {
  constructor(text) {
    const [user, server] = String(text).split("@");
    this.user = user;
    this.server = server ?? "c.us";
    this._serialized = `${this.user}@${this.server}`;
  }

  isLid() { return this.server === "lid"; }

  isGroup() { return this.server === "g.us"; }

  isStatus() { return this._serialized === "status@broadcast"; }

  toString() { return this._serialized; }

  toJid() { return this._serialized; }
}

export class MsgKey {
  constructor({ from, to, id, participant, selfDir }) {
    this.fromMe = selfDir === "out";
    this.remote = this.fromMe ? to : from;
    this.id = id;
    if (participant) this.participant = participant;
    this._serialized = `${this.fromMe}_${this.remote}_${id}`;
  }

  static async newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(9));
    return `3EB0${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase()}`;
  }
}

class MsgModel extends Emitter {
  constructor(fields) {
    super();
    Object.assign(this, fields);
  }

  serialize() {
    return { ...this };
  }
}

class ChatModel extends Emitter {
  constructor(id) {
    super();
    this.id = id;
    this.formattedTitle = id.user;
    this.t = Math.floor(Date.now() / 1000);
    this.unreadCount = 0;
    this.archive = false;
    this.pin = 0;
    this.mute = { expiration: 0 };
    this.isReadOnly = false;
  }

  serialize() {
    return { ...this, id: { ...this.id } };
  }
}

class Collection extends Emitter {
  constructor(modelClass) {
    super();
    this.modelClass = modelClass;
    Object.defineProperty(this, "models", { value: new Map() });
  }

  get(id) {
    return this.models.get(typeof id === "string" ? id : id?._serialized);
  }

  add(model) {
    this.models.set(model.id._serialized, model);
    this.emit("add", model);
    return model;
  }

  getModelsArray() {
    return [...this.models.values()];
  }

  async getMessagesById(ids) {
    return { messages: ids.map((id) => this.get(id)).filter(Boolean) };
  }
}

export const Msg = new Collection(MsgModel);
export const Chat = new Collection(ChatModel);
export const me = { wid: null };
let send = () => { throw new Error("the page is not on line"); };

export function sendBy(sender) {
  send = sender;
}

export function chatFor(wid) {
  return Chat.get(wid) ?? Chat.add(new ChatModel(wid));
}

// A message from the server, already on the disk.
export function received(message) {
  const fromMe = message.from === me.wid?._serialized;
  const [from, to] = [new Wid(message.from), new Wid(message.to)];
  const id = new MsgKey({ from, to, id: message.id, selfDir: fromMe ? "out" : "in" });
  if (Msg.get(id)) return;
  chatFor(fromMe ? to : from);
  const type = message.readable ? "chat" : "ciphertext";
  Msg.add(new MsgModel({ id, from, to, body: message.body, type, t: message.at, ack: 1, self: fromMe ? "out" : "in", isNewMsg: true }));
}

export function acknowledge(id) {
  for (const message of Msg.getModelsArray()) {
    if (message.id.fromMe && message.id.id === id && message.ack < 1) {
      message.ack = 1;
      Msg.emit("change:ack", message, 1);
    }
  }
}

// Returns [when it stands in the chat, when the server has it], as the page's own action does.
export function addAndSendMsgToChat(chat, fields) {
  const message = new MsgModel(fields);
  const added = disk.put({ messages: [[message.id._serialized, { body: message.body, t: message.t }]] })
    .then(() => Msg.add(message));
  const sent = added.then(() => new Promise((resolve) => {
    const heard = (changed) => {
      if (changed !== message) return;
      Msg.off("change:ack", heard);
      resolve({ messageSendResult: "OK" });
    };
    Msg.on("change:ack", heard);
    send({ id: message.id.id, to: chat.id._serialized, body: message.body });
  }));
  return [added, sent];
}

const LINK = /https?:\/\/[^\s]+/g;

export const linkify = {
  findLinks: (text) => Array.from(String(text ?? "").matchAll(LINK), ([href]) => ({ href })),
  findLink: (text) => linkify.findLinks(text)[0],
};
