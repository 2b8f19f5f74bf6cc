// Octets from the way RFCs print them.

export function octets(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}
