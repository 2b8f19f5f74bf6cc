// SIP requests that may carry what somebody dials: INFO (RFC 2976, application/dtmf-relay), and others with a body of any kind.

const HEAD_OCTETS = 4_096;
/** Their bodies are SDP and metadata, which the recording holds anyway. */
const WITHOUT_DIGITS = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'UPDATE', 'PRACK', 'OPTIONS']);

/** True for requests and responses of a method whose body may hold digits, and for what cannot be read. */
export function carriesDigits(message: Uint8Array): boolean {
  const head = Buffer.from(message.buffer, message.byteOffset, Math.min(message.byteLength, HEAD_OCTETS)).toString(
    'latin1',
  );
  const method = /^cseq\s*:\s*\d+\s+(\S+)/im.exec(head)?.[1] ?? '';
  return !WITHOUT_DIGITS.has(method.toUpperCase());
}
