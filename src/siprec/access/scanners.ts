// Programs that look for open SIP servers, known by what they call themselves. Most do not bother to hide.

/** Only names that no phone system, SBC or monitor uses. */
export const DEFAULT_SCANNERS: readonly string[] = [
  'friendly-scanner',
  'friendly-request',
  'sipvicious',
  'sipcli',
  'sip-scan',
  'sipscan',
  'sundayddr',
  'pplsip',
  'iwar',
  'sivus',
  'mrsip',
];

/** True if one of the names stands in User-Agent or From, whatever its case. Names are plain text, no patterns. */
export function scannerTest(names: readonly string[]): (userAgent: string | null, from: string | null) => boolean {
  const wanted = names.map((name) => name.toLowerCase());
  return (userAgent, from) => {
    const text = `${userAgent ?? ''}\n${from ?? ''}`.toLowerCase();
    return wanted.some((name) => text.includes(name));
  };
}
