//! Fields where what is tried everywhere is right, each with the reason. Anything else that is
//! accepted is a failure.

/// A field, or a name of fields of all messages, and what is right there.
pub(crate) struct Free {
    pub(crate) field: &'static str,
    pub(crate) right: &'static [&'static str],
    /// Why.
    pub(crate) reason: &'static str,
}

const fn free(field: &'static str, right: &'static [&'static str], reason: &'static str) -> Free {
    Free {
        field,
        right,
        reason,
    }
}

/// All of them.
pub(crate) const FREE: &[Free] = &[
    free(
        "*.request_id",
        &["empty"],
        "a request need not be repeatable",
    ),
    free(
        "EventServiceWatchRequest.resume_token",
        &["empty"],
        "watching begins now",
    ),
    free("*.confirm_last", &["set"], "both are right"),
    free(
        "*.authorization",
        &["no choice"],
        "the answer says what has to be proved",
    ),
    free(
        "BackupCodeServiceCreateMoreRequest.proofs",
        &["missing"],
        "the answer says what has to be proved",
    ),
    free(
        "Proofs.proofs",
        &["none"],
        "the answer says what has to be proved",
    ),
    free(
        "Proof.code",
        &["empty", "control characters"],
        "it is what a person typed: a wrong proof, not a wrong request",
    ),
    free(
        "BackupCodeServiceEnableRequest.label",
        &["empty"],
        "it has a default",
    ),
    free(
        "Login.ip_address",
        &["empty"],
        "context that a host may not have",
    ),
    free(
        "Login.user_agent",
        &["empty"],
        "context that a host may not have",
    ),
    free(
        "Login.device_id",
        &["empty"],
        "context that a host may not have",
    ),
    free(
        "ConfirmationServiceCreateRequest.redeem_on_approval",
        &["set"],
        "right for a login",
    ),
    free(
        "Money.units",
        &["zero", "the most"],
        "less than a unit is an amount, and there is no most",
    ),
    free("Money.nanos", &["zero"], "whole units are an amount"),
    free(
        "Withdrawal.payment_method",
        &["empty"],
        "a host may have one only",
    ),
    free(
        "EnableTotpChange.purposes",
        &["none"],
        "an app may be on for nothing yet",
    ),
    free(
        "EnableSmsChange.purposes",
        &["none"],
        "a phone may be on for nothing yet",
    ),
    free(
        "SmsServiceConfirmEnableRequest.purposes",
        &["none"],
        "a phone may be on for nothing yet",
    ),
    free(
        "SmsServiceConfirmEnableRequest.code",
        &["empty", "control characters"],
        "it is what a person typed: a wrong code, not a wrong request",
    ),
    free(
        "SmsServiceBeginEnableRequest.label",
        &["empty"],
        "it has a default",
    ),
    free(
        "SmsServiceBeginEnableRequest.locale",
        &["empty"],
        "it has a default",
    ),
    free(
        "SmsServiceBeginEnableRequest.word",
        &["empty"],
        "nobody has to choose one",
    ),
    free(
        "ConfirmationServiceSendCodeRequest.identifier_id",
        &["empty"],
        "where one number would do, it need not be named",
    ),
    free(
        "SetPurposesChange.switch_on",
        &["none"],
        "it may be switched off only",
    ),
    free(
        "SetPurposesChange.switch_off",
        &["none"],
        "it may be switched on only",
    ),
    free("CustomOperation.fields", &["none"], "a kind may say it all"),
    free(
        "CustomOperation.fields.value",
        &["empty"],
        "a field may be empty",
    ),
    free(
        "*.page_size",
        &["zero", "the most"],
        "there is a default, and a most that is kept",
    ),
    free("*.page_token", &["empty"], "the first page"),
    free(
        "IdentifierServiceListRequest.show_disabled",
        &["set"],
        "both are right",
    ),
    free(
        "IdentifierServiceSetPurposesRequest.switch_on",
        &["none"],
        "it may be switched off only",
    ),
    free(
        "IdentifierServiceSetPurposesRequest.switch_off",
        &["none"],
        "it may be switched on only",
    ),
    free(
        "TotpServiceBeginEnableRequest.label",
        &["empty"],
        "it has a default",
    ),
    free(
        "TotpServiceBeginEnableRequest.algorithm",
        &["unspecified"],
        "it has a default",
    ),
    free(
        "TotpServiceBeginEnableRequest.digits",
        &["zero"],
        "it has a default",
    ),
    free(
        "TotpServiceBeginEnableRequest.account_name",
        &["empty"],
        "it has a default",
    ),
    free(
        "TotpServiceConfirmEnableRequest.code",
        &["empty", "control characters"],
        "it is what a person typed: a wrong code, not a wrong request",
    ),
    free(
        "TotpServiceConfirmEnableRequest.purposes",
        &["none"],
        "an app may be on for nothing yet",
    ),
];

/// The row for this, if there is one.
pub(crate) fn find(place: &str, bad: &str) -> Option<usize> {
    let (_, field) = place.split_once('.').unwrap_or_default();
    FREE.iter().position(|free| {
        let is_it = match free.field.strip_prefix("*.") {
            Some(any) => any == field,
            None => free.field == place,
        };
        is_it && free.right.contains(&bad)
    })
}
