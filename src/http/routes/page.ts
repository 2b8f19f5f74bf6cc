// The page's static files, as they are in src/http/page, and the waveform library as its package has it.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import type { Server } from '../route-types.ts';

const PAGE = new URL('../page/', import.meta.url);
const LIBRARIES = {
  'wavesurfer.js': import.meta.resolve('wavesurfer.js/dist/wavesurfer.esm.js'),
  'wavesurfer-regions.js': import.meta.resolve('wavesurfer.js/dist/plugins/regions.esm.js'),
};

export async function pageRoutes(server: Server): Promise<void> {
  await server.register(async (page) => {
    page.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
      route.schema = { ...route.schema, hide: true };
    });
    await page.register(staticFiles, {
      root: fileURLToPath(PAGE),
      prefix: '/',
      // Each file is a route: what is not there when the recorder starts does not exist.
      wildcard: false,
      index: false,
      globIgnore: ['index.html'],
      decorateReply: false,
      cacheControl: false,
      dotfiles: 'deny',
      setHeaders: (reply) => void reply.header('cache-control', 'no-cache'),
    });

    const index = await readFile(new URL('index.html', PAGE), 'utf8');
    page.get('/', async (_, reply) => {
      // The waveform library brings a style sheet of its own and needs a nonce for it.
      const nonce = randomBytes(16).toString('base64url');
      const policy = String(reply.getHeader('content-security-policy'));
      reply.header('content-security-policy', policy.replace("style-src 'self'", `style-src 'self' 'nonce-${nonce}'`));
      return reply.type('text/html; charset=utf-8').send(index.replace('{style-nonce}', nonce));
    });
    for (const [name, url] of Object.entries(LIBRARIES)) {
      const script = await readFile(new URL(url), 'utf8');
      page.get(`/libraries/${name}`, async (_, reply) =>
        reply.type('text/javascript; charset=utf-8').header('cache-control', 'no-cache').send(script),
      );
    }
  });
}
