// Kinds of values that several sections use.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseHostPort } from '../addresses.ts';

export const seconds = (most: number) => z.number().nonnegative().max(most);
export const hostPort = z.string().refine((text) => parseHostPort(text) !== null, 'must be HOST:PORT or [IPv6]:PORT');
export const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address');
export const file = z.string().min(1).nullable().default(null);
