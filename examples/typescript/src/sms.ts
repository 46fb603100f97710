// Codes by SMS. The messages are read where a provider of kind `file` writes them in the place of
// phones: `countersign.toml` of `certs dev` has one, commented out.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { byCode, byPin, code, create, isAccepted, login, submit } from './calls.js';
import { logins, messagesFolder, portal, subjectId } from './cast.js';
import { Failure, confirmations, sms } from './countersign.js';
import type { BackupCodeList__Output as BackupCodeList } from './generated/countersign/v1/BackupCodeList.js';
import { WrongAnswer, chapter, expectAnswer, expectRefusal, note } from './steps.js';

/** One of the mobile numbers that Germany keeps for films. */
const NUMBER = `+491713920${Math.floor(Math.random() * 100)
  .toString()
  .padStart(3, '0')}`;
const LOOKS = 300;
const LOOK_EVERY_MS = 100;

/** Enrols a new phone, and logs in with a code that is sent to it. */
export async function logInBySms(codes: BackupCodeList): Promise<void> {
  chapter('The portal and the login service: codes by SMS');
  const before = texts().length;
  const phone = await begin();
  if (phone === undefined) {
    note('This gateway sends no codes by SMS: that part is left out.');
    return;
  }
  const enrolled = await arrived(before + 1);
  await expectAnswer(
    `the code ${enrolled}, the PIN and the backup code ${code(codes, 3)} enable a new phone`,
    'done',
    portal.change(sms.ConfirmEnable, {
      subjectId,
      identifierId: phone,
      code: enrolled,
      purposes: ['PURPOSE_LOGIN', 'PURPOSE_WITHDRAWAL'],
      proofs: { proofs: [byPin(), byCode(codes.identifierId, code(codes, 3))] },
    }),
    (answer) => answer.done,
  );
  const confirmation = await expectAnswer(
    'a login takes a code that is sent to it',
    'an option with a number',
    create(logins, login()),
    ({ confirmation }) =>
      confirmation?.paths[0]?.stages[0]?.options.some((option) => option.maskedNumber !== '') &&
      confirmation,
  );
  const { confirmationId } = confirmation;
  const sent = await expectAnswer(
    'a code is sent, and the caller is shown no more of the number than anybody',
    'a code that is sent',
    sendCode(confirmationId, phone),
    (answer) => answer.sentCode,
  );
  note(`to ${sent.maskedNumber}; ${sent.sendsLeft} more can be had`);
  await expectRefusal(
    'another one has to wait, and the wait is named',
    'SEND_TOO_SOON',
    send(confirmationId, phone),
    (failure) => (failure.retryAfterMs ?? 0) > 0,
  );
  const shown = await arrived(before + 2);
  await expectAnswer(
    `the code ${shown} is accepted, which redeems the login too`,
    'accepted and REDEEMED',
    submit(logins, confirmationId, byCode(phone, shown)),
    isAccepted('CONFIRMATION_STATE_REDEEMED'),
  );
  await expectAnswer(
    `the PIN and the backup code ${code(codes, 4)} disable the phone`,
    'done',
    portal.change(sms.Disable, {
      subjectId,
      identifierId: phone,
      proofs: { proofs: [byPin(), byCode(codes.identifierId, code(codes, 4))] },
    }),
    (answer) => answer.done?.state === 'IDENTIFIER_STATE_DISABLED',
  );
}

/** Begins to enrol the phone; nothing where the gateway sends no messages. */
async function begin(): Promise<string | undefined> {
  try {
    const begun = await portal.change(sms.BeginEnable, { subjectId, phoneNumber: NUMBER });
    return begun.identifierId;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'SMS_UNAVAILABLE') {
      return undefined;
    }
    throw error;
  }
}

function send(confirmationId: string, identifierId: string) {
  return logins.change(confirmations.SendCode, { subjectId, confirmationId, identifierId });
}

/** Has a code sent, once one may be: a person is shown how long that takes. */
async function sendCode(confirmationId: string, identifierId: string) {
  for (;;) {
    try {
      return await send(confirmationId, identifierId);
    } catch (error) {
      const isTooSoon = error instanceof Failure && error.reason === 'SEND_TOO_SOON';
      if (!isTooSoon || error.retryAfterMs === undefined) {
        throw error;
      }
      note(`the next message may go out in ${Math.ceil(error.retryAfterMs / 1000)} s`);
      await pause(error.retryAfterMs);
    }
  }
}

/** The code of the message with this number, from 1: the last six digits of its text. */
async function arrived(number: number): Promise<string> {
  for (let look = 0; look < LOOKS; look += 1) {
    const text = texts()[number - 1];
    if (text !== undefined) {
      note(text);
      return text.match(/\b\d{6}\b/g)?.at(-1) ?? '';
    }
    await pause(LOOK_EVERY_MS);
  }
  throw new WrongAnswer(`no message came to ${NUMBER}`);
}

/** The texts that came to the number, the latest last. */
function texts(): string[] {
  const all = existsSync(messagesFolder) ? readdirSync(messagesFolder) : [];
  const names = all.filter((name) => name.endsWith('.json'));
  const paths = names.map((name) => `${messagesFolder}/${name}`);
  const age = (path: string) => statSync(path).mtimeMs;
  return paths
    .sort((one, other) => age(one) - age(other))
    .map((path) => JSON.parse(readFileSync(path, 'utf8')) as { number: string; text: string })
    .filter((message) => message.number === NUMBER)
    .map((message) => message.text);
}
