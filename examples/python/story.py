"""The story of one account holder, told by three services: personal area, logins, withdrawals.

usage: python story.py [ENDPOINT] [CERTIFICATES]

Every answer is compared with the one that must come; the exit status is 0 only if all are right.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "generated"))

from countersign.v1 import (  # noqa: E402
    backup_code_service_pb2 as backup_codes,
    common_pb2 as common,
    confirmation_pb2 as confirmation,
    confirmation_service_pb2 as confirmations,
    identifier_service_pb2 as identifiers,
    operation_pb2 as operation,
    pin_service_pb2 as pins,
    sms_service_pb2 as sms,
    totp_service_pb2 as totp,
)
from countersign_client import App, Caller, Refused, by_code, by_pin, call, proofs  # noqa: E402

PIN = "27491358"
# One of the mobile numbers that Germany keeps for films.
NUMBER = f"+491713920{uuid.uuid4().int % 100:03}"
BOTH = [common.PURPOSE_LOGIN, common.PURPOSE_WITHDRAWAL]


def login() -> operation.Operation:
    context = operation.Login(ip_address="192.0.2.7", user_agent="example", device_id="browser-1")
    return operation.Operation(login=context)


def withdrawal(euros: int) -> operation.Operation:
    return operation.Operation(
        withdrawal=operation.Withdrawal(
            source_account="main",
            amount=common.Money(currency_code="EUR", units=euros),
            destination="DE02120300000000202051",
            payment_method="sepa",
        )
    )


class Story:
    def __init__(self, endpoint: str, certificates: Path) -> None:
        self.portal = Caller(endpoint, certificates, "portal")
        self.logins = Caller(endpoint, certificates, "login-service")
        self.withdrawals = Caller(endpoint, certificates, "withdrawal-service")
        # Where a provider of kind "file" writes messages: `countersign.toml` has it, commented out.
        self.messages = certificates / "sms"
        self.subject = f"python-{uuid.uuid4()}"
        self.steps = 0

    def step(self, what: str, is_right: bool) -> None:
        self.steps += 1
        if not is_right:
            raise SystemExit(f"step {self.steps} is wrong: {what}")
        print(f"{self.steps:3} ok  {what}")

    def refused(self, what: str, reason: str, method, request) -> Refused:
        """A step that must be refused for this reason."""
        try:
            answer = call(method, request)
        except Refused as refused:
            self.step(f"{what}: {refused}", refused.reason == reason)
            return refused
        raise SystemExit(f"{what}: {reason} was expected, and the answer is {answer}")

    # What the login and the withdrawal service do.

    def create(self, caller: Caller, what: operation.Operation):
        request = confirmations.ConfirmationServiceCreateRequest(
            subject_id=self.subject, operation=what
        )
        return call(caller.confirmations.Create, request)

    def open(self, caller: Caller, what: operation.Operation) -> str:
        return self.create(caller, what).confirmation.confirmation_id

    def submission(self, confirmation_id: str, *given: common.Proof):
        return confirmations.ConfirmationServiceSubmitProofRequest(
            subject_id=self.subject, confirmation_id=confirmation_id, proofs=given
        )

    def submit(self, caller: Caller, confirmation_id: str, *given: common.Proof):
        return call(caller.confirmations.SubmitProof, self.submission(confirmation_id, *given))

    def redemption(self, confirmation_id: str, what: operation.Operation):
        return confirmations.ConfirmationServiceRedeemRequest(
            subject_id=self.subject, confirmation_id=confirmation_id, operation=what
        )

    def cancel(self, caller: Caller, confirmation_id: str) -> None:
        request = confirmations.ConfirmationServiceCancelRequest(
            subject_id=self.subject, confirmation_id=confirmation_id
        )
        call(caller.confirmations.Cancel, request)

    def confirm_login(self, what: str, *given: common.Proof) -> None:
        request = confirmations.ConfirmationServiceCreateRequest(
            subject_id=self.subject, operation=login(), redeem_on_approval=True
        )
        created = call(self.logins.confirmations.Create, request).confirmation
        answer = self.submit(self.logins, created.confirmation_id, *given)
        is_in = answer.confirmation.state == confirmation.CONFIRMATION_STATE_REDEEMED
        self.step(what, answer.HasField("accepted") and is_in)

    # The story.

    def play(self) -> None:
        print(f"The account holder of this run is {self.subject}.")
        self.nothing_is_enrolled()
        self.choose_pin()
        codes = self.print_codes()
        app_id, app = self.enrol(codes)
        self.log_in(app_id, app, codes)
        self.withdraw(app_id, app)
        self.use_codes_up(codes)
        codes = self.replace_codes(codes)
        self.lose_the_phone(app_id, codes)
        self.log_in_by_sms(codes)
        self.look_back()
        print(f"All {self.steps} steps answered as they must.")

    def nothing_is_enrolled(self) -> None:
        answer = self.create(self.logins, login())
        self.step("a login needs no proof yet", answer.HasField("not_required"))
        answer = self.create(self.withdrawals, withdrawal(250))
        missing = answer.HasField("enrolment_required") and answer.enrolment_required.pin
        self.step("a withdrawal needs a PIN and an authenticator first", missing)
        self.refused(
            "the login service may not have a withdrawal confirmed",
            "CALLER_NOT_PERMITTED",
            self.logins.confirmations.Create,
            confirmations.ConfirmationServiceCreateRequest(
                subject_id=self.subject, operation=withdrawal(250)
            ),
        )

    def choose_pin(self) -> None:
        weak = pins.PinServiceSetRequest(subject_id=self.subject, new_pin="123456")
        refused = self.refused(
            "a common PIN is refused", "INVALID_FIELD", self.portal.pins.Set, weak
        )
        self.step("the field is named", list(refused.fields) == ["new_pin"])
        request = pins.PinServiceSetRequest(subject_id=self.subject, new_pin=PIN)
        self.step("the PIN is set", call(self.portal.pins.Set, request).HasField("done"))

    def print_codes(self) -> backup_codes.BackupCodeList:
        request = backup_codes.BackupCodeServiceEnableRequest(
            subject_id=self.subject, proofs=proofs(by_pin(PIN))
        )
        codes = call(self.portal.backup_codes.Enable, request).list
        self.step("the PIN makes a list of backup codes, shown once", len(codes.codes) == 10)
        print("        " + "  ".join(codes.codes[:5]) + "\n        " + "  ".join(codes.codes[5:]))
        self.finish(codes)
        request = identifiers.IdentifierServiceSetPurposesRequest(
            subject_id=self.subject,
            identifier_id=codes.identifier_id,
            switch_on=BOTH,
            proofs=proofs(by_code(codes.identifier_id, codes.codes[0])),
        )
        answer = call(self.portal.identifiers.SetPurposes, request)
        self.step("one of them switches them on for both purposes", answer.HasField("done"))
        return codes

    def finish(self, codes: backup_codes.BackupCodeList) -> None:
        request = backup_codes.BackupCodeServiceFinishRequest(
            subject_id=self.subject, list_id=codes.list_id
        )
        answer = call(self.portal.backup_codes.Finish, request)
        self.step("Finish puts the list in force", answer.identifier.identifier_id != "")

    def enrol(self, codes: backup_codes.BackupCodeList) -> tuple[str, App]:
        request = totp.TotpServiceBeginEnableRequest(
            subject_id=self.subject, label="Phone", account_name="example"
        )
        begun = call(self.portal.totp.BeginEnable, request)
        self.step("an app's enrolment begins with a QR code", begun.qr_png.startswith(b"\x89PNG"))
        app = App(begun.secret_base32)
        request = totp.TotpServiceConfirmEnableRequest(
            subject_id=self.subject,
            identifier_id=begun.identifier_id,
            code=app.fresh(),
            purposes=BOTH,
            proofs=proofs(by_pin(PIN), by_code(codes.identifier_id, codes.codes[1])),
        )
        answer = call(self.portal.totp.ConfirmEnable, request)
        self.step("its code, the PIN and a backup code enable it", answer.HasField("done"))
        return begun.identifier_id, app

    def log_in(self, app_id: str, app: App, codes: backup_codes.BackupCodeList) -> None:
        confirmation_id = self.open(self.logins, login())
        answer = self.submit(self.logins, confirmation_id, by_code(app_id, app.wrong()))
        self.step("a wrong code is rejected", answer.HasField("rejected"))
        answer = self.submit(self.logins, confirmation_id, by_code(app_id, app.fresh()))
        self.step("a right one is accepted", answer.HasField("accepted"))
        redeem = self.redemption(confirmation_id, login())
        answer = call(self.logins.confirmations.Redeem, redeem)
        redeemed = answer.confirmation.state == confirmation.CONFIRMATION_STATE_REDEEMED
        self.step("the login is redeemed: the person is in", redeemed)
        again = call(self.logins.confirmations.Redeem, redeem)
        self.step("the same request again has the same answer", again == answer)
        self.refused(
            "another one is refused",
            "ALREADY_REDEEMED",
            self.logins.confirmations.Redeem,
            self.redemption(confirmation_id, login()),
        )
        confirmation_id = self.open(self.logins, login())
        answer = self.submit(self.logins, confirmation_id, by_code(app_id, app.used))
        self.step("a code that was used is rejected", answer.HasField("rejected"))
        self.cancel(self.logins, confirmation_id)
        typed = codes.codes[2].lower().replace("-", " ")
        code = by_code(codes.identifier_id, typed)
        self.confirm_login("a backup code does as well, however it is typed", code)

    def withdraw(self, app_id: str, app: App) -> None:
        confirmation_id = self.open(self.withdrawals, withdrawal(250))
        answer = self.submit(self.withdrawals, confirmation_id, by_pin(PIN))
        self.step("the PIN passes the first stage", answer.HasField("accepted"))
        answer = self.submit(self.withdrawals, confirmation_id, by_code(app_id, app.fresh()))
        approved = answer.confirmation.state == confirmation.CONFIRMATION_STATE_APPROVED
        self.step("a code of the app approves the withdrawal", approved)
        self.refused(
            "the login service may not redeem it",
            "CALLER_NOT_PERMITTED",
            self.logins.confirmations.Redeem,
            self.redemption(confirmation_id, withdrawal(250)),
        )
        self.refused(
            "9250 EUR are refused: 250 EUR were confirmed",
            "OPERATION_MISMATCH",
            self.withdrawals.confirmations.Redeem,
            self.redemption(confirmation_id, withdrawal(9250)),
        )
        redeem = self.redemption(confirmation_id, withdrawal(250))
        answer = call(self.withdrawals.confirmations.Redeem, redeem)
        redeemed = answer.confirmation.state == confirmation.CONFIRMATION_STATE_REDEEMED
        self.step("250 EUR are redeemed: send them", redeemed)

    def use_codes_up(self, codes: backup_codes.BackupCodeList) -> None:
        for code in codes.codes[3:9]:
            self.confirm_login(f"a login with {code}", by_code(codes.identifier_id, code))
        confirmation_id = self.open(self.logins, login())
        last = by_code(codes.identifier_id, codes.codes[9])
        refused = self.refused(
            "the last code is not spent on a login",
            "LAST_CODE_RESERVED",
            self.logins.confirmations.SubmitProof,
            self.submission(confirmation_id, last),
        )
        self.step("one is left", refused.metadata == {"codes_left": "1"})
        self.cancel(self.logins, confirmation_id)

    def replace_codes(self, codes: backup_codes.BackupCodeList) -> backup_codes.BackupCodeList:
        request = backup_codes.BackupCodeServiceCreateMoreRequest(
            subject_id=self.subject,
            identifier_id=codes.identifier_id,
            proofs=proofs(by_code(codes.identifier_id, codes.codes[9])),
        )
        fresh = call(self.portal.backup_codes.CreateMore, request).list
        self.step("the last code makes another list", len(fresh.codes) == 10)
        self.finish(fresh)
        return fresh

    def lose_the_phone(self, app_id: str, codes: backup_codes.BackupCodeList) -> None:
        def disable(*given: common.Proof) -> totp.TotpServiceDisableRequest:
            return totp.TotpServiceDisableRequest(
                subject_id=self.subject, identifier_id=app_id, proofs=proofs(*given)
            )

        self.refused(
            "the PIN alone does not disable the app",
            "STEP_UP_REQUIRED",
            self.portal.totp.Disable,
            disable(by_pin(PIN)),
        )
        code = by_code(codes.identifier_id, codes.codes[0])
        answer = call(self.portal.totp.Disable, disable(by_pin(PIN), code))
        self.step("the PIN and a backup code do: the phone is lost", answer.HasField("done"))

    def log_in_by_sms(self, codes: backup_codes.BackupCodeList) -> None:
        before = len(self.texts())
        request = sms.SmsServiceBeginEnableRequest(subject_id=self.subject, phone_number=NUMBER)
        try:
            begun = call(self.portal.sms.BeginEnable, request)
        except Refused as refused:
            self.step(f"no codes by SMS here: {refused}", refused.reason == "SMS_UNAVAILABLE")
            return
        request = sms.SmsServiceConfirmEnableRequest(
            subject_id=self.subject,
            identifier_id=begun.identifier_id,
            code=self.arrived(before + 1),
            purposes=BOTH,
            proofs=proofs(by_pin(PIN), by_code(codes.identifier_id, codes.codes[1])),
        )
        answer = call(self.portal.sms.ConfirmEnable, request)
        self.step("the code in a message enables a new phone", answer.HasField("done"))

        created = self.create(self.logins, login()).confirmation
        options = created.paths[0].stages[0].options
        phone = next(option for option in options if option.masked_number)
        sent = self.send_code(created.confirmation_id, phone.identifier.identifier_id)
        masked = sent.masked_number
        self.step(f"a code is sent to {masked}", masked == phone.masked_number)
        refused = self.refused(
            "another one has to wait",
            "SEND_TOO_SOON",
            self.logins.confirmations.SendCode,
            self.sending(created.confirmation_id, phone.identifier.identifier_id),
        )
        self.step(f"the wait is named: {refused.retry_after:.0f} s", refused.retry_after > 0)
        code = by_code(begun.identifier_id, self.arrived(before + 2))
        answer = self.submit(self.logins, created.confirmation_id, code)
        self.step("it confirms the login", answer.HasField("accepted"))
        request = sms.SmsServiceDisableRequest(
            subject_id=self.subject,
            identifier_id=begun.identifier_id,
            proofs=proofs(by_pin(PIN), by_code(codes.identifier_id, codes.codes[2])),
        )
        answer = call(self.portal.sms.Disable, request)
        self.step("the PIN and a backup code disable the phone", answer.HasField("done"))

    def sending(self, confirmation_id: str, identifier_id: str):
        return confirmations.ConfirmationServiceSendCodeRequest(
            subject_id=self.subject, confirmation_id=confirmation_id, identifier_id=identifier_id
        )

    def send_code(self, confirmation_id: str, identifier_id: str) -> common.SentCode:
        """Has a code sent, once one may be: a person is shown how long that takes."""
        request = self.sending(confirmation_id, identifier_id)
        while True:
            try:
                return call(self.logins.confirmations.SendCode, request).sent_code
            except Refused as refused:
                if refused.reason != "SEND_TOO_SOON":
                    raise
                print(f"        the next message may go out in {refused.retry_after:.0f} s")
                time.sleep(refused.retry_after)

    def arrived(self, number: int) -> str:
        """The code of the message with this number, from 1: the last six digits of its text."""
        for _ in range(300):
            texts = self.texts()
            if len(texts) >= number:
                print(f"        {texts[number - 1]}")
                return re.findall(r"\b\d{6}\b", texts[number - 1])[-1]
            time.sleep(0.1)
        raise SystemExit(f"no message came to {NUMBER}")

    def texts(self) -> list[str]:
        """The texts that came to the number, the latest last."""
        files = sorted(self.messages.glob("*.json"), key=lambda file: file.stat().st_mtime)
        messages = [json.loads(file.read_text()) for file in files]
        return [message["text"] for message in messages if message["number"] == NUMBER]

    def look_back(self) -> None:
        request = identifiers.IdentifierServiceListEventsRequest(
            subject_id=self.subject, page_size=3
        )
        events = call(self.portal.identifiers.ListEvents, request).events
        self.step("what happened can be read", len(events) == 3)
        for event in events:
            print(f"        #{event.number}: " + "; ".join(fact.text for fact in event.facts))


def main() -> None:
    arguments = sys.argv[1:]
    if len(arguments) > 2 or (arguments and arguments[0].startswith("-")):
        raise SystemExit(__doc__.strip())
    endpoint = arguments[0] if arguments else "localhost:50051"
    certificates = Path(arguments[1] if len(arguments) > 1 else HERE / "../../certs")
    Story(endpoint, certificates).play()


if __name__ == "__main__":
    main()
