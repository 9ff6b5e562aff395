'use strict';

// Open the store that config.remote names, as its package's documentation does; without one, our folder.

const { FolderStore } = require('./folder_store.js');

async function s3(remote) {
    const { AwsS3Store } = require('wwebjs-aws-s3');
    const {
        S3Client,
        PutObjectCommand,
        HeadObjectCommand,
        GetObjectCommand,
        DeleteObjectCommand,
    } = require('@aws-sdk/client-s3');
    const s3Client = new S3Client({
        region: 'us-east-1',
        endpoint: remote.endpoint,
        forcePathStyle: true,
        credentials: { accessKeyId: remote.accessKey, secretAccessKey: remote.secretKey },
    });
    return new AwsS3Store({
        bucketName: remote.bucket,
        remoteDataPath: remote.path,
        s3Client,
        putObjectCommand: PutObjectCommand,
        headObjectCommand: HeadObjectCommand,
        getObjectCommand: GetObjectCommand,
        deleteObjectCommand: DeleteObjectCommand,
    });
}

async function mongo(remote) {
    const mongoose = require('mongoose');
    const { MongoStore } = require('wwebjs-mongo');
    await mongoose.connect(remote.uri);
    return new MongoStore({ mongoose });
}

async function openStore(config) {
    const remote = config.remote ?? { kind: 'folder' };
    if (remote.kind === 's3') return s3(remote);
    if (remote.kind === 'mongodb') return mongo(remote);
    return new FolderStore(config.store);
}

module.exports = { openStore };
