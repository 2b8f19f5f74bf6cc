// Telephone numbers as people and systems write them: +49 30 1234567, 0049301234567, 030/1234567.
import { normalise } from './normalise.ts';
import { addressOf } from './scope.ts';

/** So many last digits tell a subscriber; what stands before them is written in many ways. */
const SUBSCRIBER_DIGITS = 7;

/** The number in an address, without punctuation (`+49301234567`); null if its user part is no number. */
export function numberOf(address: string): string | null {
  const number = addressOf(address).user.replace(/[-./ ()]/g, '');
  return /^\+?\d+$/.test(number) ? number : null;
}

/**
 * Whether an address is meant by `asked`: the same address, the same user part, or the same number, whether national or
 * international. Numbers of fewer than seven digits must be equal.
 */
export function isSameNumber(address: string, asked: string): boolean {
  if (numberKey(address) !== numberKey(asked)) return false;
  if (asked.includes('@')) return normalise(addressOf(address).address) === normalise(addressOf(asked).address);
  const [a, b] = [significant(address), significant(asked)];
  if (a === null || b === null) return true;
  return a.endsWith(b) || b.endsWith(a);
}

/** Equal for all ways to write a number, and for few other numbers. */
export function numberKey(address: string): string {
  const number = numberOf(address);
  if (number === null) return normalise(addressOf(address).user);
  const digits = number.replace('+', '');
  return digits.length >= SUBSCRIBER_DIGITS ? digits.slice(-SUBSCRIBER_DIGITS) : digits;
}

/** Without the signs of a trunk or a foreign country; null if there are too few digits to compare by their end. */
function significant(address: string): string | null {
  const digits = (numberOf(address) ?? '').replace(/^(?:\+|0+)/, '');
  return digits.length >= SUBSCRIBER_DIGITS ? digits : null;
}
