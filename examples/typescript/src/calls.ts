// The calls of the story, and what they take and answer.

import { PIN, logins, portal, subjectId } from './cast.js';
import { type Countersign, backupCodes, confirmations } from './countersign.js';
import type { BackupCodeList__Output as BackupCodeList } from './generated/countersign/v1/BackupCodeList.js';
import type { Confirmation__Output as Confirmation } from './generated/countersign/v1/Confirmation.js';
import type { ConfirmationServiceSubmitProofResponse__Output as Submitted } from './generated/countersign/v1/ConfirmationServiceSubmitProofResponse.js';
import type { Operation } from './generated/countersign/v1/Operation.js';
import type { Proof } from './generated/countersign/v1/Proof.js';
import { expectAnswer, note } from './steps.js';

/** Asks for a decision. A login is redeemed by its approval, which nothing else can be. */
export function create(service: Countersign, operation: Operation) {
  const redeemOnApproval = operation.login !== undefined;
  return service.change(confirmations.Create, { subjectId, operation, redeemOnApproval });
}

/** Asks for a confirmation, and shows what it takes. */
export async function open(
  what: string,
  service: Countersign,
  operation: Operation,
): Promise<string> {
  const confirmation = await expectAnswer(
    `${what} has to be confirmed`,
    'a confirmation',
    create(service, operation),
    (answer) => answer.confirmation,
  );
  note(`it takes ${stages(confirmation)}`);
  return confirmation.confirmationId;
}

/** The stages of the first path, in words. */
function stages(confirmation: Confirmation): string {
  const stages = confirmation.paths[0]?.stages ?? [];
  const options = stages.map((stage) =>
    stage.options.map((option) => {
      const name = option.identifier ? `a code of "${option.identifier.label}"` : 'the PIN';
      // A person reads the next code off the phone by then, instead of wasting an attempt.
      const from = option.usableFrom ? new Date(Number(option.usableFrom.seconds) * 1000) : null;
      return from ? `${name} (the next one comes at ${from.toISOString()})` : name;
    }),
  );
  return options.map((names) => names.join(' or ')).join(', then ');
}

export function submit(
  service: Countersign,
  confirmationId: string,
  proof: Proof,
): Promise<Submitted> {
  return service.change(confirmations.SubmitProof, { subjectId, confirmationId, proofs: [proof] });
}

export async function cancel(what: string, confirmationId: string): Promise<void> {
  await expectAnswer(
    what,
    'CANCELLED',
    logins.change(confirmations.Cancel, { subjectId, confirmationId }),
    (answer) => answer.confirmation?.state === 'CONFIRMATION_STATE_CANCELLED',
  );
}

export async function finish(what: string, list: BackupCodeList): Promise<void> {
  await expectAnswer(
    what,
    'every code left',
    portal.change(backupCodes.Finish, { subjectId, listId: list.listId }),
    (answer) => answer.identifier?.codesLeft === list.codes.length,
  );
}

export function isRejected(answer: Submitted): boolean {
  return Boolean(answer.rejected) && answer.confirmation?.state === 'CONFIRMATION_STATE_PENDING';
}

export function isAccepted(state: Confirmation['state']): (answer: Submitted) => boolean {
  return (answer) => Boolean(answer.accepted) && answer.confirmation?.state === state;
}

export function login(): Operation {
  return {
    login: { ipAddress: '203.0.113.7', userAgent: 'countersign example', deviceId: 'device-1' },
  };
}

export function withdrawal(euros: number): Operation {
  return {
    withdrawal: {
      sourceAccount: 'trading-1001',
      amount: { currencyCode: 'EUR', units: euros.toString() },
      destination: 'DE89370400440532013000',
      paymentMethod: 'sepa',
    },
  };
}

export function byPin(): Proof {
  return { pin: {}, code: PIN };
}

export function byCode(identifierId: string, code: string): Proof {
  return { identifierId, code };
}

/** The code with this number, from 1, as it is printed. */
export function code(list: BackupCodeList, number: number): string {
  return list.codes[number - 1] ?? '';
}

export function print(list: BackupCodeList): void {
  list.codes.forEach((code, place) => note(`${(place + 1).toString().padStart(2)}. ${code}`));
}
