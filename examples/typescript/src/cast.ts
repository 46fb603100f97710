// Who plays: three services, each by its certificate, and one account holder.

import { randomUUID } from 'node:crypto';

import { Countersign } from './countersign.js';

const [address, folder] = process.argv.slice(2);
if (address === undefined || folder === undefined) {
  console.error('usage: node dist/story.js ADDRESS CERTIFICATES_FOLDER');
  process.exit(2);
}

export const portal = connect(address, folder, 'portal');
export const logins = connect(address, folder, 'login-service');
export const withdrawals = connect(address, folder, 'withdrawal-service');
/** Whom it is about: another one in each run. */
export const subjectId = `typescript-${randomUUID()}`;
/** Where a provider of kind `file` writes messages, in the place of phones. */
export const messagesFolder = `${folder}/sms`;
export const PIN = '27491358';

function connect(address: string, folder: string, service: string): Countersign {
  return new Countersign(address, {
    authority: `${folder}/ca.pem`,
    certificate: `${folder}/${service}.pem`,
    key: `${folder}/${service}.key`,
  });
}
