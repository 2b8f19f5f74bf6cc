import { z } from 'zod';
import { file } from './values.ts';

export const tls = z.strictObject({
  certificateFile: file.describe(
    'PEM file with the certificate for tls listeners, then its intermediates. Read again when it changes.',
  ),
  keyFile: file.describe('PEM file with its private key, not encrypted.'),
  authoritiesFile: file.describe(
    "PEM file with the authorities that peers' certificates must come from. Null: the system's, for servers only.",
  ),
  clientCertificates: z
    .enum(['none', 'request', 'require'])
    .default('none')
    .describe('Whether clients must show a certificate from authoritiesFile.'),
  clientNames: z
    .array(z.string().min(1).max(255))
    .max(1_000)
    .default([])
    .describe(
      'With clientCertificates require: names of which a client certificate must have one (common or alternative). Empty: any.',
    ),
  minimumVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest TLS version that is taken.'),
});
