// node upload.cjs '{"endpoint", "file", and more options of tus.Upload}'
//
// Uploads a file, as often interrupted as it may be; prints
// {"upload": its URL, "post": Content-Location of the last answer}.

const fs = require('node:fs');
const tus = require('tus-js-client');

const { file, ...options } = JSON.parse(process.argv[2]);

const upload = new tus.Upload(fs.createReadStream(file), {
  ...options,
  retryDelays: Array(50).fill(100),
  onSuccess({ lastResponse }) {
    const post = lastResponse.getHeader('Content-Location');
    console.log(JSON.stringify({ upload: upload.url, post }));
  },
  onError(error) {
    console.error(String(error));
    process.exitCode = 1;
  },
});

upload.start();
