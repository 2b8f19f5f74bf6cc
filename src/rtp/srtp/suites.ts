// The protection suites and their lengths (RFC 3711 §8.2, RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §12).

/** A suite by its name in SDP. */
export type SrtpSuite =
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_32'
  | 'AES_192_CM_HMAC_SHA1_80'
  | 'AES_192_CM_HMAC_SHA1_32'
  | 'AES_256_CM_HMAC_SHA1_80'
  | 'AES_256_CM_HMAC_SHA1_32'
  | 'AEAD_AES_128_GCM'
  | 'AEAD_AES_256_GCM';

/** Lengths in octets. */
export interface SuiteLengths {
  /** Of the master key and of the session encryption key. */
  key: 16 | 24 | 32;
  /** Of the master salt and of the session salt. */
  salt: 12 | 14;
  rtpTag: number;
  rtcpTag: number;
  /** True: AES-GCM, one algorithm for both duties. False: AES counter mode and HMAC-SHA1. */
  aead: boolean;
}

function counterMode(key: 16 | 24 | 32, rtpTag: number): SuiteLengths {
  // The suites with a short RTP tag keep the long one for RTCP (RFC 4568 §6.2.2, RFC 6188 §4).
  return { key, salt: 14, rtpTag, rtcpTag: 10, aead: false };
}

function galoisCounterMode(key: 16 | 32): SuiteLengths {
  return { key, salt: 12, rtpTag: 16, rtcpTag: 16, aead: true };
}

export const SRTP_SUITES: Record<SrtpSuite, SuiteLengths> = {
  AES_CM_128_HMAC_SHA1_80: counterMode(16, 10),
  AES_CM_128_HMAC_SHA1_32: counterMode(16, 4),
  AES_192_CM_HMAC_SHA1_80: counterMode(24, 10),
  AES_192_CM_HMAC_SHA1_32: counterMode(24, 4),
  AES_256_CM_HMAC_SHA1_80: counterMode(32, 10),
  AES_256_CM_HMAC_SHA1_32: counterMode(32, 4),
  AEAD_AES_128_GCM: galoisCounterMode(16),
  AEAD_AES_256_GCM: galoisCounterMode(32),
};
