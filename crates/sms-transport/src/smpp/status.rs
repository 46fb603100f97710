//! What the answers of a carrier mean (SMPP 3.4, 5.1.3).

use countersign_mfa::ports::sms::Submission;

/// All is well.
pub(super) const OK: u32 = 0x00;
/// The session is not bound, whatever we believe.
pub(super) const NOT_BOUND: u32 = 0x04;
/// Ours: the receipt cannot be taken now.
pub(super) const TRY_AGAIN: u32 = 0x64;
/// Ours: what came will never be understood.
pub(super) const NOT_UNDERSTOOD: u32 = 0x65;
/// Ours: no such command is known.
pub(super) const NO_SUCH_COMMAND: u32 = 0x03;

/// Whether the carrier asks to be given less at a time, or is at its end for a while.
pub(super) const fn is_throttled(status: u32) -> bool {
    matches!(
        status,
        0x08 // system error
        | 0x14 // message queue full
        | 0x58 // throttled
        | 0x64 // temporary error at its end
    )
}

/// What becomes of a message whose first part was answered so.
///
/// | status | |
/// |---|---|
/// | 0x08, 0x14, 0x58, 0x64 | `Throttled`: a system error, a full queue, too many at a time, a temporary error |
/// | 0x04 | `Unreachable`: the session is not bound, and is made anew |
/// | 0x0B | `BadNumber`: the destination is invalid |
/// | any other | `Refused`: such as 0x0A, an invalid sender; 0x45, submitting failed; 0x61, an invalid validity |
pub(super) fn submission(status: u32) -> Submission {
    let reason = reason(status);
    match status {
        NOT_BOUND => Submission::Unreachable(reason),
        0x0B => Submission::BadNumber(reason),
        status if is_throttled(status) => Submission::Throttled(reason),
        _ => Submission::Refused(reason),
    }
}

/// The status as it is told.
pub(super) fn reason(status: u32) -> String {
    format!("0x{status:08X}")
}

/// What a refused bind most likely means, for the log.
pub(super) const fn of_bind(status: u32) -> &'static str {
    match status {
        0x05 => "already bound: the carrier may still hold the last session",
        0x0D => "bind failed: system_id, password or system_type may be wrong",
        0x0E => "the password is wrong",
        0x0F => "the system_id is wrong",
        0x53 => "the system_type is wrong",
        _ => "the carrier did not accept the bind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        let kind = |status| match submission(status) {
            Submission::Throttled(_) => "throttled",
            Submission::Unreachable(_) => "unreachable",
            Submission::BadNumber(_) => "bad number",
            Submission::Refused(_) => "refused",
            other => panic!("{other:?}"),
        };
        let table = [
            (0x01, "refused"),
            (0x04, "unreachable"),
            (0x08, "throttled"),
            (0x0A, "refused"),
            (0x0B, "bad number"),
            (0x14, "throttled"),
            (0x45, "refused"),
            (0x58, "throttled"),
            (0x61, "refused"),
            (0x64, "throttled"),
            (0x65, "refused"),
            (0x0400, "refused"),
            (u32::MAX, "refused"),
        ];
        for (status, meaning) in table {
            assert_eq!(kind(status), meaning, "{status:#x}");
        }
    }

    #[test]
    fn a_status_is_told_with_eight_digits() {
        assert_eq!(
            submission(0x58),
            Submission::Throttled("0x00000058".to_owned())
        );
    }
}
