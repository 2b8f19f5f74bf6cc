// Sending answers: the app's, whose failure it wants to know, and the server's own refusals.
import { addToTag, createResponse } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import { type ServerTransaction, TransactionError } from '../transaction/transaction.ts';
import { DialogError } from './owner.ts';
import type { DialogServices } from './services.ts';

/** Rejects with UNKNOWN_TRANSACTION or NOT_SENT. */
export async function deliver(transaction: ServerTransaction, response: SipMessage): Promise<void> {
  try {
    await transaction.respond(response);
  } catch (error) {
    const isOver = error instanceof TransactionError && error.code === 'TRANSACTION_OVER';
    throw isOver
      ? new DialogError('UNKNOWN_TRANSACTION', 'The transaction is over.', { cause: error })
      : new DialogError('NOT_SENT', 'The answer could not be sent.', { cause: error });
  }
}

/** An answer of the server itself. `tag` is the To tag if one has been used before. Failures are logged. */
export function refuse(
  services: DialogServices,
  transaction: ServerTransaction,
  statusCode: number,
  reasonPhrase: string,
  extra: { tag?: string; retryAfter?: number } = {},
): void {
  const response = createResponse(transaction.request, statusCode, reasonPhrase);
  addToTag(response, extra.tag ?? transaction.toTag);
  if (extra.retryAfter !== undefined) response.append('Retry-After', String(extra.retryAfter));
  if (services.userAgent !== null) response.append('Server', services.userAgent);
  transaction.respond(response).catch((error) => {
    services.log.info({ err: error, statusCode, callId: transaction.request.callId }, 'a SIP answer could not be sent');
  });
}
