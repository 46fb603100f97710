// An authenticator app in the place of a person's phone (RFC 6238: SHA-1, six digits, 30 seconds).

import { createHmac } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

const PERIOD_MS = 30_000;
/** How far from the edges of a step it keeps, for the way to the server and for its clock. */
const MARGIN_MS = 2_000;

/** The code of a step, which is the number of half minutes since 1970. */
export function totpCode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000;
  return number.toString().padStart(6, '0');
}

/** The bytes of a text in base32 without padding (RFC 4648). */
export function decodeBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'));
  const bytes = bits.join('').match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

/** An app that was told a secret. */
export class App {
  readonly #secret: Buffer;
  #lastStep = 0;

  constructor(secretBase32: string) {
    this.#secret = decodeBase32(secretBase32);
  }

  /**
   * The earliest code that can still be used. A code is accepted once, and only after those of
   * earlier steps. The server takes the step before the present one and the one after it too, so
   * three codes can be had at once; for a fourth it waits.
   */
  async freshCode(): Promise<string> {
    const now = Date.now();
    const present = Math.floor(now / PERIOD_MS);
    const isEnding = now % PERIOD_MS > PERIOD_MS - MARGIN_MS;
    const step = Math.max(this.#lastStep + 1, isEnding ? present : present - 1);
    this.#lastStep = step;
    if (step > present) {
      const opens = (step - 1) * PERIOD_MS + MARGIN_MS;
      await pause(Math.max(0, opens - now));
    }
    return totpCode(this.#secret, step);
  }

  /** A code that is none of those which the server might take now. */
  wrongCode(): string {
    const present = Math.floor(Date.now() / PERIOD_MS);
    const near = [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((by) => totpCode(this.#secret, present + by));
    let number = 0;
    while (near.includes(number.toString().padStart(6, '0'))) {
      number += 1;
    }
    return number.toString().padStart(6, '0');
  }
}
