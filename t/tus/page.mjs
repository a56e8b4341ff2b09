// What a page can do with the API of another site: page.html?api=URL, with
// image.png beside it.  What it found goes to result/ as one JSON document;
// then ?next=URL is opened.

import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import { Upload } from 'tus-js-client';

const query = new URLSearchParams(location.search);
const endpoint = `${query.get('api')}uploads`;
const metadata = { author: 'Ünsal', body: 'from the browser' };

const HEADERS = ['Location', 'Upload-Offset', 'Upload-Length',
  'Upload-Expires', 'Content-Location', 'Tus-Resumable'];

// What a page sees of an answer
function seen(method, answer) {
  const found = { method, status: answer.getStatus() };

  for (const name of HEADERS) {
    const value = answer.getHeader(name);
    if (value) found[name] = value;
  }

  return found;
}

// One upload until it ends or, once the server has "pause" bytes, is abandoned
// (terminated, if so wished).  It is known under its name: a second one with
// the same goes on with the first.
function upload(name, blob, options = {}) {
  const answers = [];

  return new Promise((resolve) => {
    const end = (how) => resolve({ answers, upload: one.url, ...how });

    const one = new Upload(blob, {
      endpoint,
      metadata,
      retryDelays: null,
      fingerprint: async () => name,
      ...options,
      onAfterResponse(request, answer) {
        answers.push(seen(request.getMethod(), answer));
      },
      onChunkComplete(size, offset, length) {
        if (options.pause && offset >= options.pause && offset < length) {
          one.abort(options.terminate).then(
            () => end({ paused: true }),
            (error) => end({ error: String(error) }));
        }
      },
      onSuccess() {
        end({ success: true });
      },
      onError(error) {
        const answer = error.originalResponse;
        end({ error: String(error), body: answer && answer.getBody() });
      },
    });

    one.findPreviousUploads().then(([previous]) => {
      if (previous) one.resumeFromPreviousUpload(previous);
      one.start();
    });
  });
}

async function uppy(blob) {
  const instance = new Uppy({ meta: metadata });
  const successful = [];

  instance.use(Tus, { endpoint, withCredentials: true, retryDelays: [] });
  instance.addFile({ name: 'a.png', type: 'image/png', data: blob });

  // only here: right after, Uppy empties the answer
  instance.on('upload-success', (file, { uploadURL, body }) => {
    const post = body.xhr.getResponseHeader('Content-Location');
    successful.push({ upload: uploadURL, post });
  });

  const { failed } = await instance.upload();

  return { successful, failed: failed.map(({ error }) => String(error)) };
}

async function steps() {
  const image = await (await fetch('image.png')).blob();
  const chunks = { chunkSize: 300_000 };

  return {
    paused: await upload('a', image, { ...chunks, pause: 600_000 }),
    resumed: await upload('a', image, chunks),
    again: await upload('a', image, chunks),
    creating: await upload('b', image, {
      ...chunks,
      uploadDataDuringCreation: true,
      overridePatchMethod: true,
    }),
    terminated: await upload('c', image, {
      ...chunks,
      pause: 1,
      terminate: true,
    }),
    text: await upload('d', new Blob(['no image at all, not even nearly'])),
    uppy: await uppy(image),
  };
}

const result = await steps().catch((error) => ({ error: String(error) }));

await fetch(`result/${location.hostname}.json`,
  { method: 'PUT', body: JSON.stringify(result) });

if (query.has('next')) location.href = query.get('next');
