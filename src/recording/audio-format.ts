// The forms in which a recording's audio is kept and given out.

/** What can be made of the WAV. */
export const COPY_FORMATS = ['flac', 'opus', 'mp3'] as const;

export type CopyFormat = (typeof COPY_FORMATS)[number];
export type AudioFormat = 'wav' | CopyFormat;

export const AUDIO_MEDIA_TYPES: Record<AudioFormat, string> = {
  wav: 'audio/wav',
  flac: 'audio/flac',
  opus: 'audio/ogg; codecs=opus',
  mp3: 'audio/mpeg',
};

/** The file beside recording.json: `audio.flac`. */
export const audioName = (format: AudioFormat) => `audio.${format}`;

/** Of a file's name. */
export function audioFormatOf(name: string): AudioFormat {
  return COPY_FORMATS.find((format) => name === audioName(format)) ?? 'wav';
}
