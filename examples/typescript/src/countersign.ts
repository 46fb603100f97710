// A service's connection to Countersign: mutual TLS, a deadline on every call, request ids, retries
// that cannot have two effects, and errors with what their details say. Copy this file.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

import type { ProtoGrpcType as BackupCodes } from './generated/backup_code_service.js';
import type { ProtoGrpcType as Confirmations } from './generated/confirmation_service.js';
import type { ProtoGrpcType as Errors } from './generated/error_reason.js';
import type { ProtoGrpcType as Events } from './generated/event_service.js';
import type { ProtoGrpcType as GoogleRpc } from './generated/google-rpc.js';
import type { ProtoGrpcType as Identifiers } from './generated/identifier_service.js';
import type { ProtoGrpcType as Pins } from './generated/pin_service.js';
import type { ProtoGrpcType as Sms } from './generated/sms_service.js';
import type { ProtoGrpcType as Totp } from './generated/totp_service.js';
import type { EventServiceWatchResponse__Output as Watched } from './generated/countersign/v1/EventServiceWatchResponse.js';
import type { Path__Output as Path } from './generated/countersign/v1/Path.js';

// The same options as in the script `generate` of package.json, or the types would be wrong.
const OPTIONS = { longs: String, enums: String, defaults: true, oneofs: true };
const EXAMPLE = fileURLToPath(new URL('..', import.meta.url));
const FILES = [
  'backup_code_service',
  'confirmation_service',
  'error_reason',
  'event_service',
  'identifier_service',
  'pin_service',
  'sms_service',
  'totp_service',
].map((name) => `countersign/v1/${name}.proto`);

const protos = grpc.loadPackageDefinition(
  loadSync([...FILES, 'google-rpc.proto'], {
    ...OPTIONS,
    includeDirs: [`${EXAMPLE}../../proto`, EXAMPLE],
  }),
) as unknown as BackupCodes &
  Confirmations &
  Errors &
  Events &
  GoogleRpc &
  Identifiers &
  Pins &
  Sms &
  Totp;

const { v1 } = protos.countersign;
export const backupCodes = v1.BackupCodeService.service;
export const confirmations = v1.ConfirmationService.service;
export const events = v1.EventService.service;
export const identifiers = v1.IdentifierService.service;
export const pins = v1.PinService.service;
export const sms = v1.SmsService.service;
export const totp = v1.TotpService.service;

/** How long the server may take over one try of a call. */
const DEADLINE_MS = 12_000;
/** How often a call is tried in all while the server is not available. */
const TRIES = 4;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** A method of the protos. */
interface Method<Request, Answer> {
  path: string;
  requestSerialize: (request: Request) => Buffer;
  responseDeserialize: (bytes: Buffer) => Answer;
}

/** Files in PEM: the authority to trust, and the caller's own certificate and key. */
export interface Identity {
  authority: string;
  certificate: string;
  key: string;
}

/** An id for one request: a repetition of the request has the same one. */
export const newRequestId = (): string => randomUUID();

/** One caller's connection. It is made with the first call, and again whenever it is lost. */
export class Countersign {
  readonly #client: grpc.Client;

  /** The files are read once: make another connection when they were renewed. */
  constructor(address: string, identity: Identity) {
    const credentials = grpc.credentials.createSsl(
      readFileSync(identity.authority),
      readFileSync(identity.key),
      readFileSync(identity.certificate),
    );
    this.#client = new grpc.Client(address, credentials, {
      'grpc.keepalive_time_ms': 30_000,
      // What is repeated is decided here, and nowhere else.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  /**
   * Calls a method that changes something. The request is given an id unless it has one; whoever
   * may have to repeat it later, after a crash for example, keeps the id with the order itself.
   * Throws a `Failure`.
   */
  change<Request extends { requestId?: string }, Answer>(
    method: Method<Request, Answer>,
    request: NoInfer<Request>,
  ): Promise<Answer> {
    return this.#call(method, { ...request, requestId: request.requestId ?? newRequestId() });
  }

  /** Calls a method that changes nothing, whose requests have no id. Throws a `Failure`. */
  read<Request, Answer>(
    method: Method<Request, Answer> & ('requestId' extends keyof Request ? never : unknown),
    request: NoInfer<Request>,
  ): Promise<Answer> {
    return this.#call(method, request);
  }

  /**
   * The events that a host has to act on, from a token on, for so long at most. A stream that ends
   * with UNAVAILABLE goes on with the last token. Throws a `Failure`: with DEADLINE_EXCEEDED when
   * the time is over.
   */
  async *watch(resumeToken: string, milliseconds: number): AsyncGenerator<Watched, void> {
    const { path, requestSerialize, responseDeserialize } = events.Watch;
    const deadline = Date.now() + milliseconds;
    let token = resumeToken;
    for (let longest = FIRST_PAUSE_MS; ; longest *= 2) {
      const stream = this.#client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { resumeToken: token },
        { deadline },
      );
      // Whoever stops reading has the stream cancelled, which is no fault.
      stream.on('error', () => {});
      let named: number | undefined;
      try {
        for await (const message of stream as AsyncIterable<Watched>) {
          yield message;
          token = message.resumeToken;
          longest = FIRST_PAUSE_MS;
        }
      } catch (error) {
        const failure = asFailure(error);
        if (failure.code !== grpc.status.UNAVAILABLE) {
          throw failure;
        }
        named = failure.retryAfterMs;
      } finally {
        stream.cancel();
      }
      await pause(jittered(named ?? longest));
    }
  }

  async #call<Request, Answer>(method: Method<Request, Answer>, request: Request): Promise<Answer> {
    let longest = FIRST_PAUSE_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(method, request);
      } catch (error) {
        const failure = asFailure(error);
        if (failure.code !== grpc.status.UNAVAILABLE || tries === TRIES) {
          throw failure;
        }
        // The very same request goes out again, so a call whose answer was lost has one effect.
        await pause(jittered(failure.retryAfterMs ?? longest));
        longest *= 2;
      }
    }
  }

  #once<Request, Answer>(method: Method<Request, Answer>, request: Request): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: Date.now() + DEADLINE_MS };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        options,
        (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      );
    });
  }
}

/** A call that failed, with what the details of its status say. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: grpc.status;
  /** The stable reason, such as OPERATION_MISMATCH: see `ErrorReason` in the protos. */
  reason: string | undefined;
  /** What the reason has to add, such as `codes_left`. */
  metadata: Record<string, string> = {};
  /** Every wrong field of an invalid request. */
  violations: { field: string; description: string }[] = [];
  /** How long to wait before trying again, where waiting helps. */
  retryAfterMs: number | undefined;
  /** What would do, where more has to be proved. */
  stepUpPaths: Path[] = [];

  constructor(error: grpc.ServiceError) {
    super(error.details, { cause: error });
    this.code = error.code;
    const [trailer] = error.metadata.get('grpc-status-details-bin');
    if (trailer instanceof Buffer) {
      this.#readDetails(trailer);
    }
  }

  /** Code, reason and message. */
  override toString(): string {
    const words = [grpc.status[this.code], this.reason].filter((word) => word !== undefined);
    return `${words.join(' / ')} (${this.message})`;
  }

  #readDetails(trailer: Buffer): void {
    const { BadRequest, ErrorInfo, RetryInfo, Status } = protos.google.rpc;
    for (const detail of Status.deserialize(trailer).details) {
      const value = detail.value;
      switch (detail.type_url.split('/').at(-1)) {
        case 'google.rpc.ErrorInfo': {
          const info = ErrorInfo.deserialize(value);
          // A proxy in between may have reasons of its own.
          if (info.domain === 'countersign') {
            this.reason = info.reason;
            this.metadata = info.metadata;
          }
          break;
        }
        case 'google.rpc.BadRequest':
          this.violations = BadRequest.deserialize(value).fieldViolations;
          break;
        case 'google.rpc.RetryInfo': {
          const delay = RetryInfo.deserialize(value).retryDelay;
          this.retryAfterMs = Number(delay?.seconds ?? 0) * 1000 + (delay?.nanos ?? 0) / 1e6;
          break;
        }
        case 'countersign.v1.StepUpRequired':
          this.stepUpPaths = v1.StepUpRequired.deserialize(value).paths;
          break;
      }
    }
  }
}

/** A failed call as a `Failure`; anything else is a fault of the program, and thrown on. */
function asFailure(error: unknown): Failure {
  if (error instanceof Error && 'code' in error && 'metadata' in error) {
    return new Failure(error as grpc.ServiceError);
  }
  throw error;
}

/** Half of the pause to all of it, and no longer than the longest. */
function jittered(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
}
