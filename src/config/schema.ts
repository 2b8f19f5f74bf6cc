// Every setting: its type, unit, default and one sentence. `sipreel config --print` and the README's table are made from here.
import { z } from 'zod';
import { parseOrekaListener, parsePortRange, parseSipListener } from './addresses.ts';
import { access, accessMistakes } from './sections/access.ts';
import { audio } from './sections/audio.ts';
import { delivery } from './sections/delivery.ts';
import { drachtio } from './sections/drachtio.ts';
import { encryption } from './sections/encryption.ts';
import { freeswitch } from './sections/freeswitch.ts';
import { http } from './sections/http.ts';
import { index } from './sections/index.ts';
import { limits } from './sections/limits.ts';
import { log } from './sections/log.ts';
import { oreka } from './sections/oreka.ts';
import { outgoing } from './sections/outgoing.ts';
import { rtp } from './sections/rtp.ts';
import { rules } from './sections/rules.ts';
import { s3 } from './sections/s3.ts';
import { shutdown } from './sections/shutdown.ts';
import { sip } from './sections/sip.ts';
import { storage } from './sections/storage.ts';
import { tls } from './sections/tls.ts';

export const configSchema = z
  .strictObject({
    data: z.string().min(1).default('./data').describe('Directory of everything that is stored.'),
    sip: sip.prefault({}),
    tls: tls.prefault({}),
    access: access.prefault({}),
    oreka: oreka.prefault({}),
    freeswitch: freeswitch.prefault({}),
    outgoing: outgoing.prefault({}),
    rtp: rtp.prefault({}),
    drachtio: drachtio.prefault({}),
    http: http.prefault({}),
    limits: limits.prefault({}),
    audio: audio.prefault({}),
    storage: storage.prefault({}),
    encryption: encryption.prefault({}),
    s3: s3.prefault({}),
    rules: rules.prefault({}),
    index: index.prefault({}),
    delivery: delivery.prefault({}),
    log: log.prefault({}),
    shutdown: shutdown.prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const range = parsePortRange(config.rtp.ports);
    for (const listener of config.sip.listen) {
      const address = parseSipListener(listener);
      if (config.drachtio.address === null && address?.transport === 'udp' && range && inside(address.port, range)) {
        refuse(['rtp', 'ports'], `contains the SIP port ${address.port} of ${listener}`);
      }
    }
    if ((config.s3.accessKeyId === null) !== (config.s3.secretAccessKey === null)) {
      refuse(['s3', 'secretAccessKey'], 'and s3.accessKeyId are needed together');
    }
    const { tls } = config;
    if (config.sip.listen.some((listener) => parseSipListener(listener)?.transport === 'tls')) {
      if (tls.certificateFile === null) refuse(['tls', 'certificateFile'], 'is needed for a tls listener');
      if (tls.keyFile === null) refuse(['tls', 'keyFile'], 'is needed for a tls listener');
    }
    if (tls.clientCertificates !== 'none' && tls.authoritiesFile === null) {
      refuse(['tls', 'authoritiesFile'], 'is needed to check client certificates');
    }
    for (const [path, message] of accessMistakes(config)) refuse(path, message);
    if (tls.clientNames.length > 0 && tls.clientCertificates !== 'require') {
      refuse(['tls', 'clientNames'], 'needs tls.clientCertificates: require');
    }
    for (const listener of config.oreka.listen) {
      const address = parseOrekaListener(listener);
      if (address && range && inside(address.port, range))
        refuse(['rtp', 'ports'], `contains the oreka port of ${listener}`);
    }
    if (new Set(config.sip.listen).size < config.sip.listen.length) refuse(['sip', 'listen'], 'names an address twice');
    if (config.drachtio.address !== null && config.drachtio.secret === null) {
      refuse(['drachtio', 'secret'], 'is needed with drachtio.address');
    }
    if (range && Math.floor((range.last - range.first + 1) / 4) < 1)
      refuse(['rtp', 'ports'], 'is too small for one call');
  });

const inside = (port: number, range: { first: number; last: number }) => port >= range.first && port <= range.last;

export type Config = z.infer<typeof configSchema>;
/** What a file or the command line may give: every part is optional. */
export type ConfigInput = z.input<typeof configSchema>;
