// Are two addresses the same party's? User and host count; ports, parameters and the scheme's s do not.

export function sameAddress(one: string, other: string): boolean {
  return bare(one) === bare(other);
}

function bare(uri: string): string {
  return uri
    .replace(/^sips?:/i, '')
    .replace(/[;?].*$/, '')
    .replace(/:\d+$/, '')
    .toLowerCase();
}
