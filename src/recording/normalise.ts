// Texts as they are compared: without regard to case, accents and the number of blanks.

/** `Ångström  GmbH` gives `angstrom gmbh`. */
export function normalise(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\0]/gu, '')
    .replace(/\s+/g, ' ')
    .toLowerCase();
}

/** The words that a free-text question consists of. All of them have to be found. */
export function wordsOf(text: string): string[] {
  return normalise(text).split(' ').filter(Boolean);
}
