//! What each settings change takes.

use countersign_primitives::IdentifierId;
use countersign_security_identifiers::{
    Ending, Kind, Path, Purpose, PurposeSet, RegistryError, Use,
};

use crate::{
    Error, SettingsChange,
    platform::{Context, Snapshot},
};

impl SettingsChange {
    /// What proofs given with it are for. A confirmation's are given before, and for no ending: a
    /// last code that it used up would be lost if the change were never made.
    pub(crate) fn aim(&self) -> Use {
        Use {
            purpose: Purpose::Other,
            ending: match self {
                Self::Disable { identifier, .. } => Some(Ending::Disable(*identifier)),
                Self::RenewCodes { identifier } => Some(Ending::Renew(*identifier)),
                Self::EnableTotp { .. }
                | Self::EnableSms { .. }
                | Self::EnableCodes
                | Self::SetPurposes { .. }
                | Self::SetPin
                | Self::ChangePin => None,
            },
        }
    }

    /// The paths that would do for this change: the registry makes them, and the policy may add
    /// stages.
    ///
    /// # Errors
    /// Those that the change's own method has before it looks at a proof.
    pub(crate) fn paths(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Vec<Path>, Error> {
        let Snapshot { registry, now, .. } = snapshot;
        let settings = context.settings;
        let limits = &settings.limits;
        let target = |id: &IdentifierId| {
            let target = registry.counting().find(|target| target.id == *id);
            target.ok_or(Error::IdentifierNotFound)
        };
        let may_enable = |room: Result<(), RegistryError>| {
            if registry.pin().is_none() {
                return Err(Error::PinNotSet);
            }
            room.map_err(|error| Error::of_registry(error, *now))
        };
        let begun = |id: &IdentifierId, kind: Kind| {
            let begun = registry.identifier(*id);
            begun
                .filter(|found| found.is_pending(*now) && found.kind() == kind)
                .ok_or(Error::IdentifierNotFound)
        };
        let paths = match self {
            Self::EnableTotp {
                identifier,
                purposes,
            } => {
                begun(identifier, Kind::Totp)?;
                may_enable(registry.require_room(Kind::Totp, limits))?;
                registry.paths_to_enable(*purposes)
            }
            Self::EnableSms {
                identifier,
                purposes,
            } => {
                begun(identifier, Kind::Sms)?;
                may_enable(registry.require_room(Kind::Sms, limits))?;
                registry.paths_to_enable(*purposes)
            }
            Self::EnableCodes => {
                let set = registry.set_of_codes(*now);
                if set.is_some_and(|set| set.counts()) {
                    return Err(Error::BackupCodesEnabled);
                }
                may_enable(registry.require_room_for_codes(limits, *now))?;
                registry.paths_to_enable(PurposeSet::NONE)
            }
            Self::RenewCodes { identifier } => {
                let set = target(identifier)?;
                if set.kind() != Kind::BackupCodes {
                    return Err(Error::IdentifierNotFound);
                }
                if !set.is_enabled() {
                    return Err(Error::IdentifierNotEnabled);
                }
                registry.paths_to_renew(set)
            }
            Self::Disable {
                identifier,
                confirm_last,
            } => {
                let target = target(identifier)?;
                if registry.is_last(*identifier) && !confirm_last {
                    return Err(Error::LastIdentifier);
                }
                registry.paths_to_disable(target)
            }
            Self::SetPurposes {
                identifier,
                on,
                off,
            } => {
                if !target(identifier)?.is_enabled() && !on.is_empty() {
                    return Err(Error::IdentifierNotEnabled);
                }
                registry.paths_to_switch(*identifier, *on, *off)
            }
            Self::SetPin if registry.pin().is_some() => return Err(Error::PinAlreadySet),
            Self::SetPin => registry.paths_to_set_pin(),
            Self::ChangePin if registry.pin().is_none() => return Err(Error::PinNotSet),
            Self::ChangePin => registry.paths_to_change_pin(),
        };
        let caller = context.call.caller.as_str();
        Ok(settings.policy.add_to_settings(caller, paths, registry))
    }
}
