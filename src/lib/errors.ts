// The catalogue of errors that cross rooms. Only the doors turn a code into a SIP or HTTP status.

/** What went wrong, by code. The sentence is the default message and says what the operator can do. */
export const ERROR_CATALOGUE = {
  NO_USABLE_AUDIO: 'The offer has no audio stream that can be recorded.',
  NO_PORTS: 'No free RTP port pair is left: widen the RTP port range or lower the number of calls.',
  PORT_UNAVAILABLE: 'The port that the client chose for its media cannot be had.',
  TOO_MANY_RECORDINGS: 'The limit of simultaneous recordings is reached.',
  STORAGE_LOW: 'Too little space is left on a disk: remove recordings, or lower storage.floorMiB.',
  CAPTURE_BEHIND: 'Media or the disk is behind: the running recordings need all that this machine has.',
  OVERLOADED: 'The recorder answers too slowly: too much signalling for this machine.',
  DATABASE_FAILED: 'The database cannot be opened: check its address, the server and the rights of its user.',
  DECLINED_BY_RULE: 'A rule says that this call is not recorded.',
  DRAINING: 'The recorder is shutting down and takes no new recordings.',
  CAPTURE_FAILED: 'The capture worker failed: see the log for its error.',
  SESSION_INTERVAL_TOO_SMALL: 'The session would have to be refreshed more often than every 90 seconds.',
  SOURCE_NOT_ALLOWED: 'This address may not record here: add it to access.sources of the recorder.',
  CREDENTIALS_NEEDED: 'Recording here needs the name and secret of one of access.users.',
  SOURCE_TOO_BUSY: 'This address has reached its limit of calls.',
  RECORDING_ENDED: 'The recording has ended already.',
  CLIENT_REFUSED: 'The recording client does not let itself be recorded.',
  CLIENT_SILENT: 'The recording client gives no answer: check its address and transport.',
  DESTINATION_NOT_ALLOWED: 'That client may not be called: add its address to outgoing.clients.',
  NOT_RUNNING: 'No recorder runs here, or without its HTTP API, or for another user.',
  NOT_AUDIO: 'That is no WAV file: convert it first, for example with "sox IN OUT.wav".',
  BROKEN_AUDIO: 'The WAV file cannot be taken:',
  IMPORT_TOO_LARGE: 'The file is larger than http.importMaxMiB allows.',
  ENCODER_MISSING: 'No encoder for that format is installed: install ffmpeg.',
  ENCODING_FAILED: 'The encoder failed.',
  NOT_FOUND: 'There is no such recording.',
  ON_HOLD: 'The recording is on legal hold and cannot be deleted: take the hold away first.',
  INVALID_CURSOR: 'That is no cursor of a page: begin again without one.',
  STORAGE_FAILED: 'The data directory cannot be written: check space, owner and mount.',
  STORAGE_READ_ONLY: 'The disk is mounted read-only: look for disk errors (dmesg) and mount it read-write.',
  STORAGE_DENIED: 'The directory may not be written: change its owner, or run the recorder as its owner.',
  STORAGE_IN_USE: 'Another recorder uses the directory: stop it, or give this one a directory of its own.',
  KEY_MISSING:
    'No master key opens this recording: add it to encryption.keyFile or SIPREEL_MASTER_KEY, also after newer ones.',
  STORE_FAILED: 'The object store does not do what it should: check its address, bucket and credentials (s3).',
  STORAGE_MISSING: 'A directory is not there: is its disk mounted?',
  CONFIG_INVALID: 'The configuration has mistakes.',
  LISTEN_FAILED: 'An address could not be bound: is another program using it?',
  DRACHTIO_UNREACHABLE: 'The drachtio server could not be reached.',
  DRACHTIO_REFUSED: 'The drachtio server refused the secret.',
  DRACHTIO_UNSUITABLE: 'The drachtio address does not answer as a drachtio server of version 0.8 or later does.',
} as const;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export class RecorderError extends Error {
  override readonly name = 'RecorderError';
  readonly code: ErrorCode;

  /** `detail` is added to the catalogue's sentence. */
  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail ? `${ERROR_CATALOGUE[code]} ${detail}` : ERROR_CATALOGUE[code], options);
    this.code = code;
  }
}

/** True for a RecorderError, of that code if one is given. */
export function isRecorderError(error: unknown, code?: ErrorCode): error is RecorderError {
  return error instanceof RecorderError && (code === undefined || error.code === code);
}
