//! Budgets that many spend of at once, in parts, so that they do not wait for one row.

/// The most slots that a budget has.
pub const MAX_SLOTS: u32 = 16;

/// What a slot holds at least of an hour's messages, where there is more than one: with fewer, the
/// rows would be many and each soon full.
const LEAST_PER_SLOT: u32 = 32;

/// How many of the dearest message a slot can pay at least, where there is more than one. What is
/// left over in a slot cannot be put together with what is left in another, so at most one part in
/// so many of the money stays unspent.
const DEAREST_PER_SLOT: u64 = 16;

/// How many slots there are for so many messages in an hour.
pub(crate) fn for_messages(per_hour: u32) -> u32 {
    (per_hour / LEAST_PER_SLOT).clamp(1, MAX_SLOTS)
}

/// How many slots there are at most for so much money, where one message may cost so much.
pub(crate) fn for_money(amount: u64, dearest: u64) -> u32 {
    let slots = amount / dearest.saturating_mul(DEAREST_PER_SLOT).max(1);
    u32::try_from(slots).map_or(MAX_SLOTS, |slots| slots.clamp(1, MAX_SLOTS))
}

/// A slot's part of a limit. The parts add up to the limit.
pub(crate) fn share(limit: u64, slots: u32, slot: u32) -> u64 {
    let slots = u64::from(slots.max(1));
    limit / slots + u64::from(u64::from(slot) < limit % slots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_of_a_limit_add_up_to_it(limit: u32) {
            let slots = for_messages(limit);
            let sum: u64 = (0..slots).map(|slot| share(limit.into(), slots, slot)).sum();
            prop_assert_eq!(sum, u64::from(limit));
        }

        #[test]
        fn no_part_is_small(limit in 1..u32::MAX) {
            let slots = for_messages(limit);
            for slot in 0..slots {
                let part = share(limit.into(), slots, slot);
                prop_assert!(part >= u64::from(LEAST_PER_SLOT.min(limit)));
            }
        }

        #[test]
        fn a_slot_can_pay_the_dearest_message_many_times(
            dearest in 1..u64::from(u32::MAX),
            messages in 0..1_000_u64,
            rest: u16,
        ) {
            let amount = dearest * messages + u64::from(rest);
            let slots = for_money(amount, dearest);
            prop_assert!((1..=MAX_SLOTS).contains(&slots));
            let part = share(amount, slots, slots - 1);
            prop_assert!(slots == 1 || part / dearest >= 16, "{part} in each of {slots}");
        }
    }

    #[test]
    fn large_limits_have_sixteen_slots_and_small_ones_one() {
        let slots: Vec<u32> = [0, 1, 63, 64, 300, 511, 512, 3000, u32::MAX]
            .map(for_messages)
            .to_vec();
        assert_eq!(slots, [1, 1, 1, 2, 9, 15, 16, 16, 16]);
    }
}
