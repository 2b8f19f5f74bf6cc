import { z } from 'zod';
import { hostPort } from './values.ts';

export const freeswitch = z.strictObject({
  eventSocket: hostPort
    .default('127.0.0.1:8021')
    .describe("FreeSWITCH's event socket, for `sipreel freeswitch`. The recorder itself never connects to it."),
  password: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Its password; better given as SIPREEL_FREESWITCH_PASSWORD in the environment.'),
});
