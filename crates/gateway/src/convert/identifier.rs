//! Identifiers and the PIN.

use countersign_mfa::{IdentifierStateView, IdentifierView, PinView};
use countersign_proto::v1 as wire;
use countersign_security_identifiers::{Kind, PurposeSet};

use super::{Reader, confirmation::sent_to_wire, purpose_to_wire, time_to_wire};

impl Reader {
    /// What an identifier is switched on and off for.
    pub(crate) fn switches(
        &mut self,
        field: &str,
        on: &[i32],
        off: &[i32],
    ) -> (PurposeSet, PurposeSet) {
        let prefix = |name: &str| match field {
            "" => name.to_owned(),
            field => format!("{field}.{name}"),
        };
        let switch_on = self.purposes(&prefix("switch_on"), on);
        let switch_off = self.purposes(&prefix("switch_off"), off);
        if on.is_empty() && off.is_empty() {
            self.violation(
                &prefix("switch_on"),
                "must name a purpose, or `switch_off` must",
            );
        }
        if switch_on.without(switch_off) != switch_on {
            self.violation(&prefix("switch_off"), "must name no purpose of `switch_on`");
        }
        (switch_on, switch_off)
    }
}

/// A kind.
pub(crate) const fn kind_to_wire(kind: Kind) -> wire::IdentifierKind {
    match kind {
        Kind::Totp => wire::IdentifierKind::Totp,
        Kind::Sms => wire::IdentifierKind::Sms,
        Kind::BackupCodes => wire::IdentifierKind::BackupCodes,
    }
}

/// An identifier.
pub(crate) fn to_wire(view: IdentifierView) -> wire::SecurityIdentifier {
    let state = match view.state {
        IdentifierStateView::Pending => wire::IdentifierState::Pending,
        IdentifierStateView::Enabled => wire::IdentifierState::Enabled,
        IdentifierStateView::Disabled | IdentifierStateView::Capped => {
            wire::IdentifierState::Disabled
        }
    };
    let purposes = view.purposes.iter().map(|setting| wire::PurposeSetting {
        purpose: purpose_to_wire(setting.purpose).into(),
        on: setting.on,
        locked: setting.locked_until.is_some(),
        locked_until: setting.locked_until.map(time_to_wire),
    });
    wire::SecurityIdentifier {
        identifier_id: view.id.to_string(),
        kind: kind_to_wire(view.kind).into(),
        state: state.into(),
        label: view.label.to_string(),
        purposes: purposes.collect(),
        create_time: Some(time_to_wire(view.created_at)),
        enable_time: view.enabled_at.map(time_to_wire),
        disable_time: view.disabled_at.map(time_to_wire),
        disabled_by_cap: view.state == IdentifierStateView::Capped,
        expire_time: view.expires_at.map(time_to_wire),
        usable_from: view.usable_from.map(time_to_wire),
        codes_left: view.codes_left.and_then(|left| left.try_into().ok()),
        masked_number: view.masked_number.unwrap_or_default(),
        sent_code: view.sent.map(sent_to_wire),
    }
}

/// The PIN.
pub(crate) fn pin_to_wire(view: PinView) -> wire::PinStatus {
    wire::PinStatus {
        set: view.set,
        locked: view.locked_until.is_some(),
        locked_until: view.locked_until.map(time_to_wire),
        capped: view.capped,
    }
}
