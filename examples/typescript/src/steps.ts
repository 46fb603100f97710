// The steps of the story: one line each, with whether the answer is the one that must come.

import { inspect } from 'node:util';

import { Failure } from './countersign.js';

let passed = 0;

/** How many steps were right. */
export const stepsPassed = (): number => passed;

/** Begins a part of the story. */
export const chapter = (title: string): void => console.log(`\n${title}`);

/** Something worth knowing that is no step. */
export const note = (text: string): void => console.log(`    ${text}`);

/** A step whose answer was not the one that must come. The story ends with it. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

/** A step that must have an answer in which `read` finds something. */
export async function expectAnswer<Answer, Found>(
  what: string,
  expected: string,
  call: Promise<Answer>,
  read: (answer: Answer) => Found | null | undefined | false,
): Promise<Found> {
  const answer = await answerTo(call);
  const found = answer instanceof Failure ? undefined : read(answer);
  if (found === undefined || found === null || found === false) {
    throw wrong(what, expected, answer);
  }
  pass(what);
  return found;
}

/** A step that must be refused, for this reason, in which `read` finds what else has to be there. */
export async function expectRefusal(
  what: string,
  reason: string,
  call: Promise<unknown>,
  read: (failure: Failure) => boolean = () => true,
): Promise<void> {
  const answer = await answerTo(call);
  if (!(answer instanceof Failure) || answer.reason !== reason || !read(answer)) {
    throw wrong(what, reason, answer);
  }
  pass(`${what}: ${answer}`);
}

async function answerTo<Answer>(call: Promise<Answer>): Promise<Answer | Failure> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Failure) {
      return error;
    }
    throw error;
  }
}

function pass(what: string): void {
  passed += 1;
  console.log(`  ✓ ${what}`);
}

function wrong(what: string, expected: string, answer: unknown): WrongAnswer {
  const words = answer instanceof Failure ? `${answer}` : inspect(answer, { depth: 4 });
  console.log(`  ✗ ${what}: expected ${expected}, and the answer was ${words}`);
  return new WrongAnswer(`after ${passed} steps that were right, the story cannot go on`);
}
