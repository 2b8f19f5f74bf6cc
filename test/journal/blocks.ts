// Builds pcapng files of any kind by the draft (draft-ietf-opsawg-pcapng §3, §4), knowing nothing of the writer under test.

export type ByteOrder = 'little' | 'big';

/** Code and value (§3.5). */
export type BlockOption = readonly [code: number, value: Uint8Array | string];

export class Blocks {
  readonly #order: ByteOrder;
  readonly #blocks: Buffer[] = [];

  constructor(order: ByteOrder = 'little') {
    this.#order = order;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#blocks);
  }

  /** Lengths of the blocks so far. */
  get lengths(): number[] {
    return this.#blocks.map((block) => block.length);
  }

  /** §4.1 */
  section(options: BlockOption[] = []): this {
    const body = Buffer.alloc(16, 0xff);
    this.#uint32(body, 0, 0x1a2b_3c4d);
    this.#uint16(body, 4, 1);
    this.#uint16(body, 6, 0);
    return this.block(0x0a0d_0d0a, Buffer.concat([body, this.#options(options)]));
  }

  /** §4.2 */
  describe(linkType: number, options: BlockOption[] = []): this {
    const body = Buffer.alloc(8);
    this.#uint16(body, 0, linkType);
    this.#uint32(body, 4, 0x4_0000);
    return this.block(1, Buffer.concat([body, this.#options(options)]));
  }

  /** §4.3; `units` since 1970 in the interface's resolution. */
  packet(interfaceId: number, units: bigint, packet: Uint8Array, options: BlockOption[] = []): this {
    const head = Buffer.alloc(20);
    this.#uint32(head, 0, interfaceId);
    this.#uint32(head, 4, Number(units >> 32n));
    this.#uint32(head, 8, Number(units & 0xffff_ffffn));
    this.#uint32(head, 12, packet.length);
    this.#uint32(head, 16, packet.length);
    return this.block(6, Buffer.concat([head, padded(packet), this.#options(options)]));
  }

  /** Any block (§3.1). The body is padded to 32 bits. */
  block(type: number, body: Uint8Array): this {
    const content = padded(body);
    const block = Buffer.alloc(content.length + 12);
    this.#uint32(block, 0, type);
    this.#uint32(block, 4, block.length);
    content.copy(block, 8);
    this.#uint32(block, block.length - 4, block.length);
    return this.raw(block);
  }

  /** Octets as they are. */
  raw(octets: Uint8Array): this {
    this.#blocks.push(Buffer.from(octets));
    return this;
  }

  #options(options: BlockOption[]): Buffer {
    const parts = options.map(([code, value]) => {
      const octets = Buffer.from(value);
      const head = Buffer.alloc(4);
      this.#uint16(head, 0, code);
      this.#uint16(head, 2, octets.length);
      return Buffer.concat([head, padded(octets)]);
    });
    return Buffer.concat(options.length > 0 ? [...parts, Buffer.alloc(4)] : []);
  }

  #uint16(into: Buffer, at: number, value: number): void {
    if (this.#order === 'little') into.writeUInt16LE(value, at);
    else into.writeUInt16BE(value, at);
  }

  #uint32(into: Buffer, at: number, value: number): void {
    if (this.#order === 'little') into.writeUInt32LE(value, at);
    else into.writeUInt32BE(value, at);
  }
}

function padded(octets: Uint8Array): Buffer {
  return Buffer.concat([octets, Buffer.alloc(-octets.length & 3)]);
}
