"""A caller of Countersign: mutual TLS, a deadline on each call, safe retries, readable errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from countersign.v1 import (
    backup_code_service_pb2_grpc,
    common_pb2,
    confirmation_service_pb2_grpc,
    event_service_pb2_grpc,
    identifier_service_pb2_grpc,
    pin_service_pb2_grpc,
    sms_service_pb2_grpc,
    totp_service_pb2_grpc,
)

# Longer than the server lets a request take, so that the server's own answer is heard.
DEADLINE_SECONDS = 12
TRIES = 4
DOMAIN = "countersign"


@dataclass
class Refused(Exception):
    """An error of Countersign. Decide by `reason`; docs/errors.md lists them all."""

    code: grpc.StatusCode
    reason: str
    message: str
    retry_after: float | None = None
    fields: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.message}"

    @staticmethod
    def of(error: grpc.RpcError) -> Refused:
        refused = Refused(error.code(), "", error.details() or "")
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            retry = error_details_pb2.RetryInfo()
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(info) and info.domain == DOMAIN:
                refused.reason = info.reason
                refused.metadata = dict(info.metadata)
            elif detail.Unpack(retry):
                refused.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(bad):
                refused.fields = {v.field: v.description for v in bad.field_violations}
        return refused


class Caller:
    """A service of the host system, by its certificate."""

    def __init__(self, endpoint: str, certificates: Path, name: str) -> None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(certificates / "ca.pem").read_bytes(),
            private_key=(certificates / f"{name}.key").read_bytes(),
            certificate_chain=(certificates / f"{name}.pem").read_bytes(),
        )
        self.channel = grpc.secure_channel(endpoint, credentials)
        self.confirmations = confirmation_service_pb2_grpc.ConfirmationServiceStub(self.channel)
        self.identifiers = identifier_service_pb2_grpc.IdentifierServiceStub(self.channel)
        self.pins = pin_service_pb2_grpc.PinServiceStub(self.channel)
        self.backup_codes = backup_code_service_pb2_grpc.BackupCodeServiceStub(self.channel)
        self.totp = totp_service_pb2_grpc.TotpServiceStub(self.channel)
        self.sms = sms_service_pb2_grpc.SmsServiceStub(self.channel)
        self.events = event_service_pb2_grpc.EventServiceStub(self.channel)


def call(method, request):
    """Calls a method. Only an outage is tried again, and with the very same request: its
    request_id makes that harmless, whatever became of the first one."""
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = str(uuid.uuid4())
    for attempt in range(1, TRIES + 1):
        try:
            return method(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            refused = Refused.of(error)
            if refused.code != grpc.StatusCode.UNAVAILABLE or attempt == TRIES:
                raise refused from None
            time.sleep(min(refused.retry_after or 0.1 * 2**attempt, 5))
    raise AssertionError("the last try returns or raises")


def by_pin(pin: str) -> common_pb2.Proof:
    return common_pb2.Proof(pin=common_pb2.Pin(), code=pin)


def by_code(identifier_id: str, code: str) -> common_pb2.Proof:
    return common_pb2.Proof(identifier_id=identifier_id, code=code)


def proofs(*given: common_pb2.Proof) -> common_pb2.Proofs:
    return common_pb2.Proofs(proofs=given)


class App:
    """The person's authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds)."""

    STEP_SECONDS = 30

    def __init__(self, secret_base32: str) -> None:
        self._secret = base64.b32decode(secret_base32 + "=" * (-len(secret_base32) % 8))
        self._last_step = 0
        self.used = ""

    def code(self, step: int) -> str:
        mac = hmac.digest(self._secret, struct.pack(">Q", step), hashlib.sha1)
        offset = mac[-1] & 0x0F
        number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFF_FFFF
        return f"{number % 1_000_000:06}"

    def fresh(self) -> str:
        """A code that was not used. One step of either side counts, so three can follow each
        other at once; a person would wait for the next one. It counts for some seconds more."""
        now = int(time.time() + 5) // self.STEP_SECONDS
        step = max(self._last_step + 1, now - 1)
        while step > int(time.time()) // self.STEP_SECONDS + 1:
            time.sleep(1)
        self._last_step = step
        self.used = self.code(step)
        return self.used

    def wrong(self) -> str:
        """A code that no step near now has."""
        now = int(time.time()) // self.STEP_SECONDS
        near = {self.code(step) for step in range(now - 5, now + 6)}
        return next(code for code in (f"{number:06}" for number in range(100)) if code not in near)
