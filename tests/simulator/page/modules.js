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

// Hide the member at the end of a path ("Socket.state") without touching the object that the page itself uses.
function without(target, path, how) {
  const [first, ...rest] = path;
  return new Proxy(target, {
    get(object, name) {
      const found = Reflect.get(object, how === "renamed" && name === `${first}Renamed` ? first : name, object);
      if (name === first) return rest.length && found ? without(found, rest, how) : undefined;
      return typeof found === "function" ? found.bind(object) : found;
    },
    has: (object, name) => (name === first && !rest.length ? false : Reflect.has(object, name)),
    ownKeys: (object) => Reflect.ownKeys(object).filter((name) => name !== first || rest.length),
  });
}

export function expose(linking, knobs) {
  const modules = new Map(Object.entries(table(linking, knobs)));
  for (const { module, member, how } of knobs.contract) {
    const found = modules.get(module);
    if (found === undefined) continue;
    if (member) {
      modules.set(module, without(found, member.split("."), how));
    } else {
      modules.delete(module);
      if (how === "renamed") modules.set(`${module}Renamed`, found);
    }
  }
  window.require = (name) => {
    if (!modules.has(name)) throw new Error(`Requiring unknown module "${name}".`);
    return modules.get(name);
  };
  window.Debug = { VERSION: knobs.web_version };
}
