// node feed-server.mjs PORT REDIS SCRIPT PROCESSES: GET posts as one would
// write it with fastify and ioredis: one script a page (page.lua), a schema for
// what is answered, as many processes as nginx has workers.

import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';

import Fastify from 'fastify';
import { Redis } from 'ioredis';

const [port, path, script, processes] = process.argv.slice(2);

const text = { type: 'string' };
const number = { type: 'integer' };

const comment = { type: 'object', properties: {
  CommentID: text, PostID: text, Timestamp: number, Author: text, Body: text,
} };

const post = { type: 'object', properties: {
  PostID: text, Timestamp: number, Author: text, Version: number, Status: text,
  CommentCount: number, Body: text, Image: text,
  LastComments: { type: 'array', items: comment },
} };

const page = { type: 'object', properties: {
  posts: { type: 'array', items: post }, nextPage: text,
} };

function toPost([fields, comments]) {
  const post = { Status: 'ok' };

  for (let i = 0; i < fields.length; i += 2) {
    post[fields[i]] = fields[i + 1];
  }

  post.LastComments = comments.map((comment) => JSON.parse(comment));

  return post;
}

async function serve() {
  const redis = new Redis({ path });
  const app = Fastify();

  redis.defineCommand('page', { numberOfKeys: 1,
    lua: readFileSync(script, 'utf8') });

  app.get('/posts', { schema: { response: { 200: page } } },
    async (request, reply) => {
      const { limit = 20, nextPage } = request.query;
      const rows = await redis.page('peer:feed',
        nextPage ? `(${nextPage}` : '+inf', limit, 'peer:post:',
        'peer:comments:');
      const last = rows.at(-1);
      const next = typeof last === 'string' ? rows.pop() : undefined;

      reply.header('Cache-Control', 'no-cache');

      return { posts: rows.map(toPost), nextPage: next };
    });

  await app.listen({ host: '127.0.0.1', port: Number(port) });
}

if (cluster.isPrimary) {
  for (let i = 0; i < Number(processes); i++) {
    cluster.fork();
  }

  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) {
      worker.kill();
    }
    process.exit(0);
  });
} else {
  await serve();
}
