// One line of what `sipreel doctor` has found.

export interface Finding {
  verdict: 'ok' | 'warn' | 'fail';
  text: string;
}

export const ok = (text: string): Finding => ({ verdict: 'ok', text });
export const warn = (text: string): Finding => ({ verdict: 'warn', text });
export const fail = (text: string): Finding => ({ verdict: 'fail', text });
