'use strict';

// Run the unmodified library with the configuration in argv[2]; print its events as JSON lines, take commands from stdin.
// No handler for unhandled rejections: what ends a user's process must end this one.

const readline = require('readline');
const { Client, LocalAuth, NoAuth, RemoteAuth } = require('whatsapp-web.js');
const { openStore } = require('./remote_stores.js');

const config = JSON.parse(process.argv[2]);

function say(event, details = {}) {
    process.stdout.write(`${JSON.stringify({ event, ...details })}\n`);
}

async function strategy() {
    const { auth, clientId, dataPath } = config;
    if (auth === 'local') return new LocalAuth({ clientId, dataPath });
    if (auth === 'remote') {
        const store = await openStore(config);
        return new RemoteAuth({ clientId, dataPath, store, backupSyncIntervalMs: config.interval ?? 60000 });
    }
    return new NoAuth();
}

async function main() {
    const client = new Client({
        authStrategy: await strategy(),
        webVersionCache: { type: 'none' },
        puppeteer: { executablePath: config.browser, args: config.args, headless: true },
        ...config.options,
    });

    client.on('qr', (qr) => say('qr', { qr }));
    client.on('code', (code) => say('code', { code }));
    client.on('loading_screen', (percent, message) => say('loading_screen', { percent, message }));
    client.on('authenticated', () => say('authenticated'));
    client.on('auth_failure', (message) => say('auth_failure', { message }));
    client.on('ready', () => say('ready', { wid: client.info.wid._serialized, pushname: client.info.pushname }));
    client.on('remote_session_saved', () => say('remote_session_saved'));
    client.on('disconnected', (reason) => say('disconnected', { reason }));
    client.on('change_state', (state) => say('change_state', { state }));
    client.on('message', (message) => say('message', { from: message.from, body: message.body }));
    client.on('message_ciphertext', (message) => say('message_ciphertext', { from: message.from }));
    client.on('message_ack', (message, ack) => say('message_ack', { body: message.body, ack }));

    const COMMANDS = {
        destroy: () => client.destroy(),
        logout: () => client.logout(),
        send: ({ to, body }) => client.sendMessage(to, body),
        // What the library itself calls after its fixed 60 s and at each interval.
        save: () => client.authStrategy.storeRemoteSession({ emit: true }),
        verify: () => client.pupPage.evaluate('window.simulator.verify()'),
    };

    const lines = readline.createInterface({ input: process.stdin });
    process.stdin.unref(); // waiting for commands must not keep alive a process that would end
    lines.on('line', async (line) => {
        const { id, command, ...details } = JSON.parse(line);
        try {
            const result = await COMMANDS[command](details);
            say('done', { id, result: command === 'verify' ? result : undefined });
        } catch (error) {
            say('failed', { id, error: String(error) });
        }
    });

    client.initialize().then(
        () => say('initialized'),
        (error) => say('rejected', { error: String(error) }),
    );
}

main();
