// Putting together what goes out: the headers that are the server's, then the app's (RFC 3261 §8.1.1, §8.2.6, §12.1.1).
import { addToTag, copyRecordRoute, createResponse } from '../message/build.ts';
import type { Header, SipMessage } from '../message/message.ts';
import { schemeFor, uriOf } from './contact.ts';
import type { Answer, Content, LocalAddress } from './owner.ts';

/** Answers that create a dialog or tell the peer our target carry a Contact. */
function needsContact(request: SipMessage, statusCode: number): boolean {
  if (statusCode <= 100) return false;
  const isSuccess = statusCode >= 200 && statusCode < 300;
  switch (request.method) {
    case 'INVITE':
      // Any 1xx with a To tag creates an early dialog; the reference server leaves its Contact out.
      return statusCode < 300 || request.toTag !== null;
    case 'SUBSCRIBE':
      return isSuccess || request.toTag !== null;
    case 'UPDATE':
      return isSuccess;
    default:
      return false;
  }
}

/** The answer as it goes out, but for what its transaction adds. */
export function composeAnswer(
  request: SipMessage,
  answer: Answer,
  tag: string,
  local: LocalAddress,
  userAgent: string | null,
): SipMessage {
  const response = createResponse(request, answer.statusCode, answer.reasonPhrase);
  if (answer.statusCode > 100) addToTag(response, tag);
  if (request.toTag === null && answer.statusCode > 100 && answer.statusCode < 300) copyRecordRoute(request, response);
  const headers = answer.headers(local);
  if (needsContact(request, answer.statusCode))
    addUnlessGiven(
      response,
      headers,
      'Contact',
      `<${uriOf(local, local.transport, schemeFor(request, 'Record-Route', 'Contact'))}>`,
    );
  addContent(response, headers, answer.body);
  if (userAgent !== null) addUnlessGiven(response, headers, 'Server', userAgent);
  return response;
}

/** Completes a request that has its dialog's headers, or those of a new one. */
export function completeRequest(
  request: SipMessage,
  content: Content,
  local: LocalAddress,
  userAgent: string | null,
): void {
  const headers = content.headers(local);
  if (['INVITE', 'SUBSCRIBE', 'REFER', 'UPDATE', 'NOTIFY'].includes(request.method)) {
    addUnlessGiven(request, headers, 'Contact', `<${uriOf(local, local.transport, schemeFor(request, 'Route'))}>`);
  }
  addContent(request, headers, content.body);
  if (userAgent !== null) addUnlessGiven(request, headers, 'User-Agent', userAgent);
}

function addContent(message: SipMessage, headers: readonly Header[], body: Buffer): void {
  for (const { name, value } of headers) message.append(name, value);
  message.body = body;
  if (body.length > 0 && message.header('Content-Type') === undefined && body.subarray(0, 3).toString() === 'v=0') {
    message.append('Content-Type', 'application/sdp');
  }
}

function addUnlessGiven(message: SipMessage, headers: readonly Header[], name: string, value: string): void {
  const isGiven = headers.some((header) => header.name.toLowerCase() === name.toLowerCase());
  if (!isGiven) message.append(name, value);
}
