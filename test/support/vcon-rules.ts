// The rules of draft-ietf-vcon-vcon-core (syntax 0.4.0, unsigned form) as a schema: types and MUSTs of the sections that are named,
// and that every index leads somewhere. Written from the draft's text; strict, as no extension is listed.
import { z } from 'zod';

/** "JSON Notation" */
const date = z.iso.datetime({ offset: true });
const unsignedInt = z.int().nonnegative();
const mediatype = z.string().regex(/^[\w.+-]+\/[\w.+-]+$/);
/** SHA-512 is 64 octets: 86 letters of base64url without padding. */
const contentHash = z.string().regex(/^sha512-[A-Za-z0-9_-]{86}$/);
const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/);
const oneOrMany = z.union([unsignedInt, z.array(unsignedInt)]);

/** "Inline Files": body and encoding. "Externally Referenced Files": url, by HTTPS, and content_hash. */
const contentRules = (content: { body?: string; encoding?: string; url?: string; content_hash?: unknown }) => {
  const inline = content.body !== undefined;
  if (inline === (content.url !== undefined)) return false;
  if (!inline) return content.url!.startsWith('https://') && content.content_hash !== undefined;
  if (content.encoding === 'base64url') return base64url.safeParse(content.body).success;
  if (content.encoding !== 'json') return content.encoding === 'none';
  return typeof JSON.parse(content.body!) === 'object';
};
const content = {
  body: z.string().optional(),
  encoding: z.enum(['base64url', 'json', 'none']).optional(),
  url: z.url().optional(),
  content_hash: z.union([contentHash, z.array(contentHash)]).optional(),
};

/** "Party Object": `validation` SHOULD be there if `name` is. */
const party = z
  .strictObject({
    tel: z
      .string()
      .regex(/^(tel:)?\+?[\d().-]+$/)
      .optional(),
    sip: z
      .string()
      .regex(/^sips?:[^\s<>;?]+$/)
      .optional(),
    mailto: z.string().optional(),
    name: z.string().optional(),
    validation: z.string().optional(),
    uuid: z.string().optional(),
  })
  .refine(({ name, validation }) => name === undefined || validation !== undefined, 'name without validation');

/** "Party_History Object": button is required for its two events. */
const history = z
  .strictObject({
    party: unsignedInt,
    time: date,
    event: z.enum(['join', 'drop', 'hold', 'unhold', 'mute', 'unmute', 'keydown', 'keyup']),
    button: z.string().optional(),
  })
  .refine(({ event, button }) => event.startsWith('key') === (button !== undefined), 'button');

/** "session_id": both halves, RFC 7989. */
const sessionId = z.strictObject({
  local: z.string().regex(/^[0-9a-f]{32}$/),
  remote: z.string().regex(/^[0-9a-f]{32}$/),
});

/** "Dialog Object", of the type recording. */
const dialog = z
  .strictObject({
    type: z.literal('recording'),
    start: date,
    duration: z.number().nonnegative(),
    parties: z.union([unsignedInt, z.array(oneOrMany)]),
    originator: unsignedInt.optional(),
    mediatype: z.enum(['audio/x-wav', 'audio/x-mp3', 'audio/x-mp4', 'audio/ogg']),
    filename: z.string().optional(),
    party_history: z.array(history).optional(),
    session_id: sessionId.optional(),
    ...content,
  })
  .refine(contentRules, 'Dialog Content')
  // "originator": only if the first party is not.
  .refine(({ originator, parties }) => originator === undefined || [parties].flat(2)[0] !== originator, 'originator');

/** "Attachment Object" */
const attachment = z
  .strictObject({
    start: date,
    party: unsignedInt,
    dialog: unsignedInt,
    mediatype,
    filename: z.string().optional(),
    ...content,
  })
  .refine(contentRules, 'Attachment Content');

export const unsignedVcon = z
  .strictObject({
    vcon: z.literal('0.4.0'),
    uuid: z.guid(),
    created_at: date,
    updated_at: date.optional(),
    subject: z.string().optional(),
    parties: z.array(party),
    dialog: z.array(dialog).optional(),
    attachments: z.array(attachment).optional(),
  })
  .refine(({ parties, dialog: dialogs = [], attachments: attached = [] }) => {
    const indexes = dialogs.flatMap((one) => [
      ...[one.parties].flat(2),
      ...(one.originator === undefined ? [] : [one.originator]),
      ...(one.party_history ?? []).map((event) => event.party),
    ]);
    const known = [...indexes, ...attached.map((one) => one.party)].every((index) => index < parties.length);
    return known && attached.every((one) => one.dialog < dialogs.length);
  }, 'an index leads nowhere');

/** "Multi-channel recordings MUST have a parties value that is an array of the same size as the number of channels". */
export function partiesFitChannels(parties: unknown, channels: number): boolean {
  if (channels === 1)
    return typeof parties === 'number' || (Array.isArray(parties) && parties.every((one) => typeof one === 'number'));
  return Array.isArray(parties) && parties.length === channels;
}
