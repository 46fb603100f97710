//! What a pure path allocates, by counting.

use countersign_workload::PATHS;

/// The most heap allocations of one call, as measured in the debug builds that tests are; an
/// optimised build makes no more. A change that needs more says so here.
const MOST: [(&str, u64); 10] = [
    ("verify-right", 9),
    ("verify-wrong", 9),
    ("verify-replayed", 9),
    ("create", 71),
    ("submit-right", 83),
    ("submit-wrong", 80),
    ("submit-repeated", 16),
    ("redeem", 66),
    ("get", 29),
    ("rename", 68),
];

#[test]
fn no_pure_path_allocates_more_often_than_its_budget() {
    let counted = PATHS.map(|path| {
        let mut call = path.prepare().unwrap();
        // The first call fills what is made once and kept.
        call().unwrap();
        let allocations = allocation_counter::measure(|| call().unwrap());
        (path.name, allocations.count_total)
    });
    let names = |paths: [(&'static str, u64); PATHS.len()]| paths.map(|(name, _)| name);
    assert_eq!(names(counted), names(MOST), "the paths have changed");
    let over: Vec<_> = counted
        .iter()
        .zip(MOST)
        .filter(|((_, count), (_, most))| count > most)
        .collect();
    assert!(over.is_empty(), "counted, and the most: {over:?}");
}
