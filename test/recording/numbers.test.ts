import { expect, test } from 'vitest';
import { isSameNumber, numberKey } from '../../src/recording/numbers.ts';

test.each([
  ['sip:+49301234567@carrier.example', '+49 30 1234567', true],
  ['sip:+49301234567@carrier.example', '030/1234567', true],
  ['sip:0301234567@pbx;user=phone', '0049 30 1234567', true],
  ['tel:+49-30-1234567', '1234567', true],
  ['tel:+49301234567', '+49401234567', false],
  ['sip:1001@pbx', '1001', true],
  ['sip:51001@pbx', '1001', false],
  ['sip:1001@pbx', '01001', false],
  ['sip:Ann.Smith@pbx', 'ann.smith', true],
  ['sip:1001@north.example', '1001@north.example', true],
  ['sip:1001@north.example', '1001@south.example', false],
  ['sip:@pbx', '', true],
])('%s is meant by %j: %s', (address, asked, same) => {
  expect(isSameNumber(address, asked)).toBe(same);
  if (same) expect(numberKey(address)).toBe(numberKey(asked));
});
