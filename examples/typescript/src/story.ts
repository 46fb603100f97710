// The story of one account holder and three services: the portal, where a person manages what
// proves who they are, the login service and the withdrawal service.
//
//     node dist/story.js localhost:50051 CERTIFICATES_FOLDER

import { isDeepStrictEqual } from 'node:util';

import {
  byCode,
  byPin,
  cancel,
  code,
  create,
  finish,
  isAccepted,
  isRejected,
  login,
  open,
  print,
  submit,
  withdrawal,
} from './calls.js';
import { PIN, logins, portal, subjectId, withdrawals } from './cast.js';
import {
  Failure,
  backupCodes,
  confirmations,
  identifiers,
  newRequestId,
  pins,
  totp,
} from './countersign.js';
import type { BackupCodeList__Output as BackupCodeList } from './generated/countersign/v1/BackupCodeList.js';
import type { Proof } from './generated/countersign/v1/Proof.js';
import type { SecurityEvent__Output as SecurityEvent } from './generated/countersign/v1/SecurityEvent.js';
import { logInBySms } from './sms.js';
import { WrongAnswer, chapter, expectAnswer, expectRefusal, note, stepsPassed } from './steps.js';
import { App } from './totp.js';

const WEAK_PIN = '123456';
const WATCH_MS = 20_000;

try {
  await play();
  console.log(`\nAll ${stepsPassed()} steps answered as they must.`);
} catch (error) {
  const isForeseen = error instanceof WrongAnswer || error instanceof Failure;
  console.error(isForeseen ? `\n${error}` : error);
  process.exitCode = 1;
} finally {
  [portal, logins, withdrawals].forEach((client) => client.close());
}

async function play(): Promise<void> {
  console.log(`The account holder of this run is ${subjectId}.`);
  await nothingIsEnabled();
  const resumeToken = await beginToWatch();
  await choosePin();
  const codes = await printCodes();
  const phone = await enrolApp(codes);
  await logIn(phone);
  await withdraw(phone);
  await logInWithCodes(codes);
  const moreCodes = await replaceCodes(codes);
  await loseThePhone(phone, moreCodes);
  await logInBySms(moreCodes);
  await lookBack();
  if (resumeToken !== undefined) {
    await watchWhatCame(resumeToken);
  }
}

async function nothingIsEnabled(): Promise<void> {
  chapter('Nothing is enabled yet');
  await expectAnswer(
    'a login needs no proof',
    'NOT_REQUIRED',
    create(logins, login()),
    (answer) => answer.notRequired,
  );
  await expectAnswer(
    'a withdrawal needs a PIN and an authenticator to be enrolled first',
    'ENROLMENT_REQUIRED',
    create(withdrawals, withdrawal(250)),
    (answer) => answer.enrolmentRequired?.pin,
  );
}

async function choosePin(): Promise<void> {
  chapter('The portal: a PIN');
  const set = (newPin: string) => portal.change(pins.Set, { subjectId, newPin });
  await expectRefusal(
    `the PIN ${WEAK_PIN} is refused, and the field is named`,
    'INVALID_FIELD',
    set(WEAK_PIN),
    (failure) => failure.violations.some((violation) => violation.field === 'new_pin'),
  );
  await expectAnswer(`the PIN ${PIN} is set`, 'done', set(PIN), (answer) => answer.done);
}

async function printCodes(): Promise<BackupCodeList> {
  chapter('The portal: backup codes');
  const list = await expectAnswer(
    'the PIN makes a list of codes, shown once',
    'a list',
    portal.change(backupCodes.Enable, { subjectId, proofs: { proofs: [byPin()] } }),
    (answer) => answer.list,
  );
  print(list);
  await finish('it is printed, and Finish puts it in force', list);
  await expectAnswer(
    `the code ${code(list, 2)} switches them on for logins and withdrawals`,
    'done',
    portal.change(identifiers.SetPurposes, {
      subjectId,
      identifierId: list.identifierId,
      switchOn: ['PURPOSE_LOGIN', 'PURPOSE_WITHDRAWAL'],
      proofs: { proofs: [byCode(list.identifierId, code(list, 2))] },
    }),
    (answer) => answer.done,
  );
  return list;
}

interface Phone {
  identifierId: string;
  app: App;
}

async function enrolApp(codes: BackupCodeList): Promise<Phone> {
  chapter('The portal: an authenticator app');
  const begun = await expectAnswer(
    'an enrolment begins: the app scans the QR code, or is given the key',
    'a secret',
    portal.change(totp.BeginEnable, { subjectId, label: 'Phone', accountName: 'example' }),
    (answer) => answer.secretBase32 !== '' && answer,
  );
  note(`key ${begun.secretBase32}`);
  const phone = { identifierId: begun.identifierId, app: new App(begun.secretBase32) };
  const shown = await phone.app.freshCode();
  await expectAnswer(
    `its code ${shown}, the PIN and the backup code ${code(codes, 1)} enable it, for logins and withdrawals`,
    'done',
    portal.change(totp.ConfirmEnable, {
      subjectId,
      identifierId: phone.identifierId,
      code: shown,
      purposes: ['PURPOSE_LOGIN', 'PURPOSE_WITHDRAWAL'],
      proofs: { proofs: [byPin(), byCode(codes.identifierId, code(codes, 1))] },
    }),
    (answer) => answer.done,
  );
  return phone;
}

async function logIn(phone: Phone): Promise<void> {
  chapter('The login service: a code of the app confirms a login');
  let id = await open('a login', logins, login());
  const wrong = phone.app.wrongCode();
  await expectAnswer(
    `the wrong code ${wrong} is rejected`,
    'rejected',
    submit(logins, id, byCode(phone.identifierId, wrong)),
    isRejected,
  );
  const shown = await phone.app.freshCode();
  await expectAnswer(
    `the code ${shown} is accepted, which redeems it too: the person is in`,
    'accepted and REDEEMED',
    submit(logins, id, byCode(phone.identifierId, shown)),
    isAccepted('CONFIRMATION_STATE_REDEEMED'),
  );
  id = await open('another login', logins, login());
  await expectAnswer(
    `the code ${shown} is rejected: it was used a moment ago`,
    'rejected',
    submit(logins, id, byCode(phone.identifierId, shown)),
    isRejected,
  );
  await cancel('that login is cancelled', id);
}

async function withdraw(phone: Phone): Promise<void> {
  chapter('The withdrawal service: the PIN and a code of the app confirm 250 EUR');
  await expectRefusal(
    'the login service may not have a withdrawal confirmed',
    'CALLER_NOT_PERMITTED',
    create(logins, withdrawal(250)),
    (failure) => failure.metadata['lacks'] === 'operations',
  );
  const id = await open('a withdrawal of 250 EUR', withdrawals, withdrawal(250));
  await expectAnswer(
    `the PIN ${PIN} passes the first stage; a code is still missing`,
    'accepted and PENDING',
    submit(withdrawals, id, byPin()),
    isAccepted('CONFIRMATION_STATE_PENDING'),
  );
  const shown = await phone.app.freshCode();
  await expectAnswer(
    `the code ${shown} is accepted, which approves it`,
    'accepted and APPROVED',
    submit(withdrawals, id, byCode(phone.identifierId, shown)),
    isAccepted('CONFIRMATION_STATE_APPROVED'),
  );
  const redeem = (euros: number, requestId = newRequestId()) =>
    withdrawals.change(confirmations.Redeem, {
      subjectId,
      requestId,
      confirmationId: id,
      operation: withdrawal(euros),
    });
  await expectRefusal(
    '9250 EUR are refused: 250 EUR were confirmed',
    'OPERATION_MISMATCH',
    redeem(9250),
  );
  // Kept with the payment: whoever does not know whether it may go out asks again with the same.
  const requestId = newRequestId();
  const first = await expectAnswer(
    '250 EUR are redeemed: they may go out',
    'REDEEMED',
    redeem(250, requestId),
    (answer) => answer.confirmation?.state === 'CONFIRMATION_STATE_REDEEMED' && answer,
  );
  await expectAnswer(
    'the same request again has the same answer',
    'the same answer',
    redeem(250, requestId),
    (answer) => isDeepStrictEqual(answer, first),
  );
  await expectRefusal('they go out once only', 'ALREADY_REDEEMED', redeem(250));
}

async function logInWithCodes(codes: BackupCodeList): Promise<void> {
  chapter('The login service: a backup code does as well');
  const proof = (number: number) => byCode(codes.identifierId, code(codes, number));
  let id = await open('a login', logins, login());
  const typed = code(codes, 3).toLowerCase().replaceAll('-', ' ');
  await expectAnswer(
    `the code ${code(codes, 3)} is accepted, typed as "${typed}"`,
    'accepted and REDEEMED',
    submit(logins, id, byCode(codes.identifierId, typed)),
    isAccepted('CONFIRMATION_STATE_REDEEMED'),
  );
  id = await open('another login', logins, login());
  await expectAnswer(
    `the code ${code(codes, 3)} is rejected: it is crossed out`,
    'rejected',
    submit(logins, id, proof(3)),
    isRejected,
  );
  await cancel('that login is cancelled', id);

  chapter('The login service: the last code is not spent');
  const last = codes.codes.length;
  for (let number = 4; number < last; number += 1) {
    id = await expectAnswer(
      'a login has to be confirmed',
      'a confirmation',
      create(logins, login()),
      (answer) => answer.confirmation?.confirmationId,
    );
    await expectAnswer(
      `the code ${code(codes, number)} is accepted`,
      'accepted and REDEEMED',
      submit(logins, id, proof(number)),
      isAccepted('CONFIRMATION_STATE_REDEEMED'),
    );
  }
  id = await open('a login', logins, login());
  await expectRefusal(
    `the last code ${code(codes, last)} is refused`,
    'LAST_CODE_RESERVED',
    submit(logins, id, proof(last)),
    (failure) => failure.metadata['codes_left'] === '1',
  );
  await cancel('that login is cancelled', id);
}

async function replaceCodes(codes: BackupCodeList): Promise<BackupCodeList> {
  chapter('The portal: more codes');
  const last = code(codes, codes.codes.length);
  const next = await expectAnswer(
    `the last code ${last} makes another list`,
    'a list',
    portal.change(backupCodes.CreateMore, {
      subjectId,
      identifierId: codes.identifierId,
      proofs: { proofs: [byCode(codes.identifierId, last)] },
    }),
    (answer) => answer.list,
  );
  print(next);
  await finish('Finish puts it in force; in the same moment the old list is void', next);
  const id = await open('a login', logins, login());
  await expectAnswer(
    `the code ${last} of the old list is rejected`,
    'rejected',
    submit(logins, id, byCode(codes.identifierId, last)),
    isRejected,
  );
  await expectAnswer(
    `the code ${code(next, 1)} of the new one is accepted`,
    'accepted and REDEEMED',
    submit(logins, id, byCode(next.identifierId, code(next, 1))),
    isAccepted('CONFIRMATION_STATE_REDEEMED'),
  );
  return next;
}

async function loseThePhone(phone: Phone, codes: BackupCodeList): Promise<void> {
  chapter('The portal: the phone is lost');
  const disable = (proofs: Proof[]) =>
    portal.change(totp.Disable, {
      subjectId,
      identifierId: phone.identifierId,
      proofs: { proofs },
    });
  await expectRefusal(
    'the PIN alone does not disable the app, and the answer says what would',
    'STEP_UP_REQUIRED',
    disable([byPin()]),
    (failure) => failure.stepUpPaths.length > 0,
  );
  await expectAnswer(
    `the PIN and the backup code ${code(codes, 2)} do`,
    'done',
    disable([byPin(), byCode(codes.identifierId, code(codes, 2))]),
    (answer) => answer.done?.state === 'IDENTIFIER_STATE_DISABLED',
  );
}

async function lookBack(): Promise<void> {
  chapter('The portal: what happened, the latest first');
  const page = await expectAnswer(
    "the subject's events are listed, without a secret",
    'events',
    portal.read(identifiers.ListEvents, { subjectId, pageSize: 6 }),
    (answer) => answer.events.length === 6 && answer.events,
  );
  for (const event of page) {
    note(`#${event.number} by ${event.caller}: ${facts(event)}`);
  }
}

function facts(event: SecurityEvent): string {
  return event.facts.map((fact) => fact.text).join('; ');
}

/** The token to watch from, unless the table of callers does not let the portal watch. */
async function beginToWatch(): Promise<string | undefined> {
  try {
    for await (const message of portal.watch('', WATCH_MS)) {
      return message.resumeToken;
    }
  } catch (error) {
    if (!(error instanceof Failure && error.reason === 'CALLER_NOT_PERMITTED')) {
      throw error;
    }
    note('The table of callers does not let the portal watch events: that part is left out.');
  }
  return undefined;
}

/** What came since: a host notifies the person, ends sessions, and so on. */
async function watchWhatCame(resumeToken: string): Promise<void> {
  chapter('The portal: what a host has to act on, as it came');
  const watched = async (): Promise<boolean> => {
    for await (const { subjectId: whose, event, actions } of portal.watch(resumeToken, WATCH_MS)) {
      if (whose === subjectId && event) {
        note(`#${event.number} ${facts(event)}: ${actions.join(', ')}`);
        // The lost phone, which comes last.
        if (event.facts.some((fact) => fact.kind === 'SECURITY_FACT_KIND_LOST_ACCESS')) {
          return actions.includes('HOST_ACTION_END_SESSIONS');
        }
      }
    }
    return false;
  };
  await expectAnswer(
    'the disabled app ends the sessions',
    'END_SESSIONS',
    watched(),
    (ends) => ends,
  );
}
