// What `sipreel doctor` says of who may record here.
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseSipListener } from '../config/addresses.ts';
import type { Config } from '../config/schema.ts';
import { NetworkList, PRIVATE_NETWORKS, parseNetwork } from '../lib/networks.ts';
import { type Finding, ok, warn } from './finding.ts';

export function checkAccess(config: Config): Finding[] {
  return [...checkListeners(config), ...checkUsersFile(config)];
}

function checkListeners(config: Config): Finding[] {
  const { access, sip, drachtio } = config;
  if (drachtio.address !== null) return [verdict('the drachtio server', access.sources, access.digest, false)];
  return sip.listen.map((text) => {
    const listener = parseSipListener(text)!;
    const rule = access.listeners.find(({ listen }) => sameListener(listen, text));
    const byCertificate = listener.transport === 'tls' && config.tls.clientCertificates === 'require';
    if (isPrivate(listener.host)) return ok(`${text} cannot be reached from public addresses`);
    return verdict(text, rule?.sources ?? access.sources, rule?.digest ?? access.digest, byCertificate);
  });
}

function verdict(where: string, sources: readonly string[], digest: boolean, byCertificate: boolean): Finding {
  const open = sources.filter(takesTheInternet);
  if (open.length === 0) return ok(`${where} takes calls from ${sources.length} listed networks`);
  if (digest || byCertificate)
    return ok(
      `${where} takes calls from anywhere (${open.join(', ')}) with ${digest ? 'digest' : 'a client certificate'}`,
    );
  return warn(
    `${where} takes calls from anybody (${open.join(', ')}): list your networks in access.sources, or set access.digest`,
  );
}

function checkUsersFile({ access }: Config): Finding[] {
  if (access.usersFile === null) return [];
  const isReadableByAll = (statSync(access.usersFile).mode & 0o004) !== 0;
  const text = `access.usersFile ${access.usersFile}`;
  return [
    isReadableByAll ? warn(`${text} can be read by every user of this machine: chmod 600`) : ok(`${text} is readable`),
  ];
}

/** No operator has that many phone systems. */
function takesTheInternet(text: string): boolean {
  const network = parseNetwork(text)!;
  return network.prefix < (isIP(network.address) === 6 ? 7 : 8);
}

function isPrivate(host: string): boolean {
  return new NetworkList(PRIVATE_NETWORKS).has(host);
}

function sameListener(a: string, b: string): boolean {
  return JSON.stringify(parseSipListener(a)) === JSON.stringify(parseSipListener(b));
}
