//! A set of backup codes in the registry: the list in force, and one that waits to be finished.

use countersign_backup_codes::{CodeList, Position, UsedCodes};
use countersign_primitives::{CodeListId, IdentifierId, Label, Throttle, Timestamp};
use minicbor::{CborLen, Decode, Encode};

use crate::{
    Ending, Factor, Kind, Limits, Purpose, PurposeSet, Registry, RegistryError, SecurityIdentifier,
    State, Use,
};

/// The lists of a set of backup codes. The set is one identifier: its id, label, purposes and
/// counters outlive its lists.
#[derive(Clone, Debug)]
pub struct BackupCodes {
    /// The list in force: without codes until the first one is finished.
    pub list: CodeList,
    /// Which of its codes are used.
    pub used: UsedCodes,
    pub(crate) pending: Option<PendingList>,
}

/// A list that was shown and is not in force before its owner has finished.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub struct PendingList {
    /// Its id.
    #[n(0)]
    pub id: CodeListId,
    /// Its codes.
    #[n(1)]
    pub list: CodeList,
    /// When it lapses.
    #[n(2)]
    pub expires_at: Timestamp,
    /// Who asked for it, and alone may finish it.
    #[n(3)]
    pub caller: String,
    /// The code of the list in force that it was made for. Nothing else accepts it while this list
    /// waits; it is free again if this list lapses.
    #[n(4)]
    pub held: Option<Position>,
}

impl BackupCodes {
    /// The list that waits to be finished.
    pub fn pending(&self, now: Timestamp) -> Option<&PendingList> {
        self.pending.as_ref().filter(|list| now < list.expires_at)
    }

    /// The code that the waiting list holds.
    pub fn held(&self, now: Timestamp) -> Option<Position> {
        self.pending(now)?.held
    }

    /// How many codes are neither used nor held.
    pub fn left(&self, now: Timestamp) -> usize {
        self.list.left(self.used, self.held(now))
    }
}

impl SecurityIdentifier {
    /// How many codes are left where there are too few to use one for anything but disabling the
    /// set and making more.
    pub(crate) fn reserved(&self, aim: Use, now: Timestamp) -> Option<usize> {
        let codes = self.backup_codes()?;
        let left = codes.left(now);
        let ends_this = aim.ending.map(Ending::set) == Some(self.id);
        // A list that was voided has no code to end it with.
        let is_spared = ends_this && !codes.list.hashes.is_empty();
        (left <= 1 && !is_spared).then_some(left)
    }
}

impl Registry {
    /// The set of backup codes, if there is one that is pending or counts.
    pub fn set_of_codes(&self, now: Timestamp) -> Option<&SecurityIdentifier> {
        self.identifiers.iter().find(|identifier| {
            let is_there = identifier.counts() || identifier.is_pending(now);
            is_there && identifier.kind() == Kind::BackupCodes
        })
    }

    /// That a set of backup codes may be enrolled. One that was begun and not finished is no
    /// hindrance: it is begun anew.
    ///
    /// # Errors
    /// [`RegistryError::TooManyIdentifiers`], [`RegistryError::TooManyEnrolments`].
    pub fn require_room_for_codes(
        &self,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.require_room(Kind::BackupCodes, limits)?;
        self.require_room_to_enrol(Kind::BackupCodes, limits, now)
    }

    /// Begins to enrol a set of backup codes with its first list. Where that was begun before, the
    /// earlier list is void and the set keeps its id, so that a lost answer loses nothing. Returns
    /// the id of the set.
    ///
    /// # Errors
    /// [`RegistryError::TooManyIdentifiers`], [`RegistryError::TooManyEnrolments`].
    pub fn begin_codes(
        &mut self,
        id: IdentifierId,
        label: Option<Label>,
        first: PendingList,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<IdentifierId, RegistryError> {
        self.require_room_for_codes(limits, now)?;
        self.prune(now);
        let begun = self
            .identifiers
            .iter()
            .position(|other| other.kind() == Kind::BackupCodes);
        let begun = begun.map(|place| self.identifiers.remove(place));
        let label = label
            .or_else(|| begun.as_ref().map(|begun| begun.label.clone()))
            .unwrap_or_else(|| self.free_label(Kind::BackupCodes));
        let (id, created_at) = begun.map_or((id, now), |begun| (begun.id, begun.created_at));
        let mut list = first.list.clone();
        list.clear();
        self.identifiers.push(SecurityIdentifier {
            id,
            label,
            created_at,
            state: State::Pending {
                expires_at: first.expires_at,
            },
            purposes: PurposeSet::default(),
            factor: Factor::BackupCodes(BackupCodes {
                list,
                used: UsedCodes::default(),
                pending: Some(first),
            }),
            throttles: [Throttle::default(); 3],
        });
        Ok(id)
    }

    /// Hangs another list on a set that is enabled, in place of one that waits.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`], [`RegistryError::NotEnabled`].
    pub fn renew_codes(
        &mut self,
        id: IdentifierId,
        next: PendingList,
    ) -> Result<(), RegistryError> {
        if !self.counting_mut(id)?.is_enabled() {
            return Err(RegistryError::NotEnabled);
        }
        self.codes_mut(id)?.pending = Some(next);
        Ok(())
    }

    /// Puts the waiting list in force: the set is enabled, or its earlier list is void. Returns the
    /// id of the set.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchCodeList`] where the list has lapsed, was replaced, or was asked for
    /// by somebody else.
    pub fn finish_codes(
        &mut self,
        list: CodeListId,
        caller: &str,
        now: Timestamp,
    ) -> Result<IdentifierId, RegistryError> {
        let is_it = |pending: &PendingList| pending.id == list && pending.caller == caller;
        let set = self.identifiers.iter_mut().find(|identifier| {
            let codes = identifier.backup_codes();
            codes
                .and_then(|codes| codes.pending(now))
                .is_some_and(is_it)
        });
        let set = set.ok_or(RegistryError::NoSuchCodeList)?;
        match set.state {
            State::Pending { .. } => set.state = State::Enabled { since: now },
            State::Enabled { .. } => {}
            State::Capped { .. } => return Err(RegistryError::NoSuchCodeList),
        }
        if let Factor::BackupCodes(codes) = &mut set.factor
            && let Some(pending) = codes.pending.take()
        {
            codes.list = pending.list;
            codes.used = UsedCodes::default();
        }
        Ok(set.id)
    }

    /// Uses an accepted code up, and ends the run of failures of its own purpose only. Returns how
    /// many are left.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn spend_code(
        &mut self,
        id: IdentifierId,
        purpose: Purpose,
        position: Position,
        now: Timestamp,
    ) -> Result<usize, RegistryError> {
        self.end_run(id, purpose)?;
        let codes = self.codes_mut(id)?;
        codes.used.spend(position);
        Ok(codes.left(now))
    }

    /// Ends the run of failures of one purpose: a code was right.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn end_run(&mut self, id: IdentifierId, purpose: Purpose) -> Result<(), RegistryError> {
        self.counting_mut(id)?.throttles[purpose.index()].clear();
        Ok(())
    }

    /// Drops lists that wait to be finished, and sets that have no other one.
    pub(crate) fn drop_lists(&mut self, is_dropped: impl Fn(&PendingList) -> bool) {
        for identifier in &mut self.identifiers {
            if let Factor::BackupCodes(codes) = &mut identifier.factor {
                codes.pending.take_if(|list| is_dropped(list));
            }
        }
        self.identifiers.retain(|identifier| {
            let codes = identifier.backup_codes();
            identifier.counts() || codes.is_none_or(|codes| codes.pending.is_some())
        });
    }

    fn codes_mut(&mut self, id: IdentifierId) -> Result<&mut BackupCodes, RegistryError> {
        match &mut self.counting_mut(id)?.factor {
            Factor::BackupCodes(codes) => Ok(codes),
            Factor::Totp { .. } | Factor::Sms(_) => Err(RegistryError::NoSuchIdentifier),
        }
    }
}

#[cfg(test)]
mod tests;
