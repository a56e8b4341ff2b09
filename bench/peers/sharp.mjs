// What the converter is compared with: sharp, warm, in this process.
//
// sharp.mjs out [threads]: for each line on stdin, the path of a picture,
// writes it to out as the converter does and says on stdout how many ms that
// took, and how many of processor time; "-" where sharp refuses.  Threads are
// as many as sharp likes, otherwise.

import readline from 'node:readline';

import sharp from 'sharp';

const [out, threads] = process.argv.slice(2);

sharp.cache(false);

if (threads) {
  sharp.concurrency(Number(threads));
}

for await (const path of readline.createInterface({ input: process.stdin })) {
  const begin = performance.now();
  const before = process.cpuUsage();

  try {
    await sharp(path, { limitInputPixels: false })
      .rotate()
      .resize(600, 600, { fit: 'cover' })
      .jpeg({ quality: 82, progressive: true })
      .toFile(out);

    const ms = performance.now() - begin;
    const { user, system } = process.cpuUsage(before);

    console.log(`${ms} ${(user + system) / 1000}`);

  } catch {
    console.log('-');
  }
}
