// window.require: every module of the page's contract under its name, with those parts gone that a knob has broken.

import * as chats from "./chats.js";
import * as keys from "./keys.js";
import { Cmd, Conn, progress, Socket, Stream } from "./models.js";

function table(linking, knobs) {
  const lid = () => chats.me.wid && new chats.Wid(`9${chats.me.wid.user}@lid`);
  const refreshQR = () => linking.refresh();
  Object.assign(Cmd, { refreshQR });
  return {
    WAWebSocketModel: { Socket },
    WAWebCmd: { Cmd },
    WAWebConnModel: { Conn },
    WAWebStreamModel: { Stream },
    WAWebOfflineHandler: { OfflineMessageHandler: { getOfflineDeliveryProgress: () => progress.percent } },
    WAWebAltDeviceLinkingApi: {
      setPairingType: () => undefined,
      initializeAltDeviceLinking: async () => undefined,
      startAltLinkingFlow: (number) => linking.code(number),
      initializeQRLinking: async () => undefined,
    },
    WAWebLaunchSocketUtils: { refreshQR },
    WABase64: { encodeB64: keys.encodeB64 },
    WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: "1" },
    WAWebAdvSignatureApi: {},
    WAWebUserPrefsInfoStore: {
      waNoiseInfo: { get: async () => ({ staticKeyPair: { pubKey: keys.fresh.noisePublic } }) },
    },
    WAWebSignalStoreApi: {
      waSignalStore: {
        getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: keys.fresh.identityPublic } }),
      },
    },
    WAWebUserPrefsMultiDevice: { getADVSecretKey: keys.advSecret },
    WAWebUserPrefsMeUser: {
      getMaybeMePnUser: () => (knobs.lid_only ? null : chats.me.wid),
      getMaybeMeLidUser: () => (knobs.lid_only ? lid() : null),
    },
    WAWebCollections: { Msg: chats.Msg, Chat: chats.Chat },
    WAWebSyncGatingUtils: {},
    WAWebCallCollection: {},
    WAWebAddonReactionTableMode: { reactionTableMode: { bulkUpsert: async () => undefined } },
    WAWebAddonPollVoteTableMode: { pollVoteTableMode: { bulkUpsert: async () => undefined } },
    WAWebBackendJobsCommon: { mediaTypeFromProtobuf: () => null },
    WAWebE2EProtoUtils: { typeAttributeFromProtobuf: () => "text" },
    WAWebMiscBrowserUtils: { info: () => ({ os: "Linux", name: "Chrome" }) },
    WALinkify: chats.linkify,
    WAWebWidFactory: {
      createWid: (text) => new chats.Wid(text),
      asUserWidOrThrow: (wid) => {
        if (!wid) throw new Error("no user");
        return wid;
      },
    },
    WAWebMsgKey: chats.MsgKey,
    WAWebChatGetters: {
      getIsNewsletter: (chat) => chat.id.server === "newsletter",
      getIsBroadcast: (chat) => chat.id.server === "broadcast",
    },
    WAWebFindChatAction: { findOrCreateLatestChat: async (wid) => ({ chat: chats.chatFor(wid), created: false }) },
    WAWebUpdateUnreadChatAction: { sendSeen: async ({ chat }) => { chat.unreadCount = 0; } },
    WAWebGetEphemeralFieldsMsgActionsUtils: { getEphemeralFields: () => ({}) },
    WAWebSendMsgChatAction: { addAndSendMsgToChat: chats.addAndSendMsgToChat },
    WAWebLinkPreviewChatAction: { getLinkPreview: async () => null },
  };
}

const VALUES = { number: 7, object: {}, null: null, empty: "" };

// What a function that returns a promise would return without one.
const AT_ONCE = {
  "waNoiseInfo.get": () => ({ staticKeyPair: { pubKey: keys.fresh.noisePublic } }),
  "waSignalStore.getRegistrationInfo": () => ({ identityKeyPair: { pubKey: keys.fresh.identityPublic } }),
  initializeAltDeviceLinking: () => undefined,
};

function changed(value, how, member) {
  const isFunction = typeof value === "function";
  if (how in VALUES) return VALUES[how];
  if (how.startsWith("gives_")) return () => VALUES[how.slice("gives_".length)];
  if (how === "throws") return () => { throw new Error("the page's own error"); };
  if (how === "never") return () => new Promise(() => {});
  if (how === "synchronous") return AT_ONCE[member] ?? value;
  if (how === "asynchronous") return isFunction ? async (...given) => value(...given) : Promise.resolve(value);
  return undefined; // missing, or renamed
}

// Change the member at the end of a path ("Socket.state", "get().key") without touching the object that the page itself uses.
function altered(target, path, how, member = path.join(".")) {
  const [step, ...rest] = path;
  const [first, calls] = [step.replace("()", ""), step.endsWith("()")];
  const inside = (found) => (rest.length && found ? altered(found, rest, how, member) : found);
  const gone = (name) => name === first && !rest.length && (how === "missing" || how === "renamed");
  return new Proxy(target, {
    get(object, name) {
      const found = Reflect.get(object, how === "renamed" && name === `${first}Renamed` ? first : name, object);
      const value = typeof found === "function" ? found.bind(object) : found;
      if (name !== first) return value;
      if (calls) {
        return (...given) => {
          const answer = value(...given);
          return answer instanceof Promise ? answer.then(inside) : inside(answer);
        };
      }
      return rest.length ? inside(value) : changed(value, how, member);
    },
    has: (object, name) => !gone(name) && Reflect.has(object, name),
    ownKeys: (object) => Reflect.ownKeys(object).filter((name) => !gone(name)),
  });
}

export function expose(linking, knobs) {
  const modules = new Map(Object.entries(table(linking, knobs)));
  const [word, renamed] = knobs.renamed_state.split("=");
  if (word) {
    const get = (socket, name) => {
      const found = Reflect.get(socket, name, socket);
      return found === word && name === "state" ? renamed : typeof found === "function" ? found.bind(socket) : found;
    };
    modules.set("WAWebSocketModel", { Socket: new Proxy(Socket, { get }) });
  }
  modules.set("window", {
    Debug: { VERSION: knobs.web_version },
    require: (name) => {
      if (!modules.has(name) || name === "window") throw new Error(`Requiring unknown module "${name}".`);
      return modules.get(name);
    },
  });
  for (const { module, member, how } of knobs.contract) {
    const found = modules.get(module);
    if (found === undefined) continue;
    if (member) {
      modules.set(module, altered(found, member.split("."), how));
    } else if (how === "missing" || how === "renamed") {
      modules.delete(module);
      if (how === "renamed") modules.set(`${module}Renamed`, found);
    } else {
      modules.set(module, changed(found, how));
    }
  }
  const { require, Debug } = modules.get("window");
  Object.assign(window, { require, Debug });
}
