// Building requests and responses (RFC 3261 §8.1.1, §8.2.6, §17.1.1.3, §9.1).
import { type Header, SipMessage } from './message.ts';

/** A request with its start line only; the caller adds every header, the transaction layer the Via. */
export function createRequest(method: string, requestUri: string): SipMessage {
  return new SipMessage({ kind: 'request', method, requestUri });
}

/**
 * A response with Via, From, To, Call-ID and CSeq of the request, and for 100 its Timestamp.
 * The To tag is the caller's to add: see addToTag. Record-Route: see copyRecordRoute.
 */
export function createResponse(request: SipMessage, statusCode: number, reasonPhrase: string): SipMessage {
  const response = new SipMessage({ kind: 'response', statusCode, reasonPhrase }, undefined, request.encoding);
  for (const value of request.headerValues('Via')) response.append('Via', value);
  for (const name of ['From', 'To', 'Call-ID', 'CSeq']) {
    const value = request.header(name);
    if (value !== undefined) response.append(name, value);
  }
  const timestamp = statusCode === 100 ? request.header('Timestamp') : undefined;
  if (timestamp !== undefined) response.append('Timestamp', timestamp);
  return response;
}

/** Adds the request's Record-Route lines, as answers that make a dialog need them (§12.1.1). */
export function copyRecordRoute(request: SipMessage, response: SipMessage): void {
  for (const value of request.headerValues('Record-Route')) response.append('Record-Route', value);
}

/** Gives the To header a tag unless it has one. */
export function addToTag(message: SipMessage, tag: string): void {
  const to = message.header('To');
  if (to !== undefined && message.toTag === null) message.replaceFirst('To', `${to};tag=${tag}`);
}

/** The ACK for a non-2xx final response: it belongs to the INVITE's transaction (§17.1.1.3). */
export function createAckForFailure(invite: SipMessage, response: SipMessage): SipMessage {
  const ack = sameTransaction(invite, 'ACK');
  const to = response.header('To');
  if (to !== undefined) ack.set('To', to);
  return ack;
}

/** The CANCEL for an INVITE that has been sent (§9.1). Headers that the transaction fixes cannot be overridden. */
export function createCancel(invite: SipMessage, extraHeaders: readonly Header[] = []): SipMessage {
  const cancel = sameTransaction(invite, 'CANCEL');
  for (const { name, value } of extraHeaders) if (cancel.header(name) === undefined) cancel.append(name, value);
  return cancel;
}

/** Same top Via, Route, From, To, Call-ID and CSeq number: what ACK and CANCEL share with their INVITE. */
function sameTransaction(invite: SipMessage, method: string): SipMessage {
  const message = createRequest(method, invite.requestUri);
  message.encoding = invite.encoding;
  message.append('Via', invite.listValues('Via')[0] ?? '');
  for (const value of invite.headerValues('Route')) message.append('Route', value);
  message.append('Max-Forwards', '70');
  for (const name of ['From', 'To', 'Call-ID']) message.append(name, invite.header(name) ?? '');
  message.append('CSeq', `${invite.cseq?.number ?? 0} ${method}`);
  return message;
}
