//! Entries as bytes: for each, how many milliseconds after the one before it, how many messages,
//! what they cost; each number in groups of seven bits, the low ones first. A row is written with
//! every message, and CBOR would take half as much again.

use countersign_primitives::Timestamp;

use super::Entry;

pub(super) fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 8);
    let mut before = 0;
    for entry in entries {
        let at = entry.at.as_millis();
        put(&mut bytes, at.wrapping_sub(before).cast_unsigned());
        put(&mut bytes, entry.messages.into());
        put(&mut bytes, entry.cost);
        before = at;
    }
    bytes
}

/// The entries; none where the bytes are no such, or the instants do not rise.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut before = 0_i64;
    while !bytes.is_empty() {
        let at = before.wrapping_add(take(&mut bytes)?.cast_signed());
        if !entries.is_empty() && at < before {
            return None;
        }
        entries.push(Entry {
            at: Timestamp::from_millis(at),
            messages: take(&mut bytes)?.try_into().ok()?,
            cost: take(&mut bytes)?,
        });
        before = at;
    }
    Some(entries)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let group = u64::from(byte & 0x7f);
        let shifted = group.checked_shl(shift)?;
        if shifted >> shift != group {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
