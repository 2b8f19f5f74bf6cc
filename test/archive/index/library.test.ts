import { librarySuite } from '../library-suite.ts';
import { onBothDatabases } from './databases.ts';
import { openLibrary } from './open-library.ts';

onBothDatabases((fresh) => {
  librarySuite('the library over the index', async (dataDirectory, clock) => {
    const { keeper, library } = await openLibrary(dataDirectory, await fresh(), { clock });
    return { library, filed: ({ document }) => keeper.changing(document, async () => {}) };
  });
});
