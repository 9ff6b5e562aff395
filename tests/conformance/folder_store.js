'use strict';

// A store for RemoteAuth that keeps archives in a folder. Its file `mode` says how it behaves at each call:
//   ok            as a store should
//   absent        sessionExists says false, as the two published stores do when they cannot reach their server
//   failing       save rejects
// and its file `calls` counts the calls, one line each.

const fs = require('fs');
const path = require('path');

class FolderStore {
    constructor(folder) {
        this.folder = folder;
        fs.mkdirSync(folder, { recursive: true });
    }

    mode(call) {
        fs.appendFileSync(path.join(this.folder, 'calls'), `${call}\n`);
        try {
            return fs.readFileSync(path.join(this.folder, 'mode'), 'utf8').trim();
        } catch {
            return 'ok';
        }
    }

    file(session) {
        return path.join(this.folder, `${session}.zip`);
    }

    async sessionExists({ session }) {
        if (this.mode('sessionExists') === 'absent') return false;
        return fs.existsSync(this.file(session));
    }

    // The library has left `<session>.zip` in the working directory, as the published stores expect it.
    async save({ session }) {
        if (this.mode('save') === 'failing') throw new Error('the store is away');
        await fs.promises.copyFile(`${session}.zip`, `${this.file(session)}.part`);
        await fs.promises.rename(`${this.file(session)}.part`, this.file(session));
    }

    async extract({ session, path: target }) {
        this.mode('extract');
        await fs.promises.copyFile(this.file(session), target);
    }

    async delete({ session }) {
        this.mode('delete');
        await fs.promises.rm(this.file(session), { force: true });
    }
}

module.exports = { FolderStore };
