// The page's static files, as they are in src/http/page.
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import type { Server } from '../route-types.ts';

export async function pageRoutes(server: Server): Promise<void> {
  await server.register(async (page) => {
    page.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
      route.schema = { ...route.schema, hide: true };
    });
    await page.register(staticFiles, {
      root: fileURLToPath(new URL('../page', import.meta.url)),
      prefix: '/',
      // Each file is a route: what is not there when the recorder starts does not exist.
      wildcard: false,
      decorateReply: false,
      cacheControl: false,
      dotfiles: 'deny',
      setHeaders: (reply) => void reply.header('cache-control', 'no-cache'),
    });
  });
}
