// Plays a running call: the recorder sends a WAV without an end, each piece is played right after the one before.

const HEADER_OCTETS = 44;
/** What is kept in hand against a network that stutters. */
const CUSHION_S = 0.25;
/** More than that is left out: better a jump than hearing a call later and later. */
const MOST_IN_HAND_S = 1.5;

export class LiveSound {
  #id;
  #tell;
  #abort = new AbortController();
  #context = null;
  #stopped = false;
  /** When the next piece is due, on the context's clock. */
  #due = 0;

  /** `tell` gets words for people, and whether it still goes on. */
  constructor(id, tell) {
    this.#id = id;
    this.#tell = tell;
  }

  async start() {
    this.#tell('Connecting…', true);
    let last = '';
    try {
      const response = await fetch(`/api/live/${encodeURIComponent(this.#id)}/listen`, { signal: this.#abort.signal });
      if (!response.ok) throw new Error((await response.json().catch(() => null))?.detail ?? 'It cannot be heard.');
      await this.#play(response.body.getReader());
    } catch (error) {
      if (error.name !== 'AbortError') last = error.message;
    }
    this.stop(last);
  }

  stop(words = '') {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#abort.abort();
    void this.#context?.close();
    this.#context = null;
    this.#tell(words, false);
  }

  async #play(reader) {
    let rest = new Uint8Array(0);
    let rateHz = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const octets = new Uint8Array(rest.length + value.length);
      octets.set(rest);
      octets.set(value, rest.length);
      let at = 0;
      if (rateHz === 0) {
        if (octets.length < HEADER_OCTETS) {
          rest = octets;
          continue;
        }
        rateHz = new DataView(octets.buffer).getUint32(24, true);
        at = HEADER_OCTETS;
        this.#context = new AudioContext({ sampleRate: rateHz });
        await this.#context.resume();
        this.#tell('You hear the call about a second late.', true);
      }
      const frames = Math.floor((octets.length - at) / 4);
      if (frames > 0) this.#schedule(new DataView(octets.buffer, at, frames * 4), frames, rateHz);
      rest = octets.slice(at + frames * 4);
    }
  }

  #schedule(samples, frames, rateHz) {
    const context = this.#context;
    if (!context) return;
    const now = context.currentTime;
    if (this.#due < now) this.#due = now + CUSHION_S;
    if (this.#due > now + MOST_IN_HAND_S) return;
    const buffer = context.createBuffer(2, frames, rateHz);
    for (const channel of [0, 1]) {
      const into = buffer.getChannelData(channel);
      for (let i = 0; i < frames; i++) into[i] = samples.getInt16(4 * i + 2 * channel, true) / 32_768;
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start(this.#due);
    this.#due += frames / rateHz;
  }
}
