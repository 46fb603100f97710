//! Any bytes as the request of any method: decoded, converted and answered, never a panic.
//!
//! The first byte says which method, the rest is the message. The platform behind has no database,
//! so a request whose form is right is answered with UNAVAILABLE, or with OK where none is asked.
#![no_main]

#[path = "../../tests/end_to_end/bad_input/baseline.rs"]
mod baseline;
mod mutate;
mod platform;

use std::{fs, path::Path, sync::LazyLock};

use countersign_gateway::{METHODS, MethodRow};
use countersign_proto::FILE_DESCRIPTOR_SET;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use platform::{INBOX, Tried};

/// Where the right requests are put before the first run, for the fuzzer to begin with.
const SEEDS: &str = "COUNTERSIGN_FUZZ_SEEDS";

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap());
static TRIED: LazyLock<Tried> = LazyLock::new(Tried::new);

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os(SEEDS) {
            sow(Path::new(&folder));
        }
    },
    |data: &[u8]| {
        if let Some((first, message)) = data.split_first() {
            check(&METHODS[usize::from(*first) % METHODS.len()], message);
        }
    }
);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match changed(&data[..size], max_size, seed) {
        Some(changed) => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});

/// Three times of four another request of the same method; else its bytes are
/// changed.
fn changed(data: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(seed.into());
    if rng.random_range(0..4) == 0 {
        return None;
    }
    let (first, message) = data.split_first()?;
    let row = &METHODS[usize::from(*first) % METHODS.len()];
    let mut message = DynamicMessage::decode(input(row), message).ok()?;
    for _ in 0..rng.random_range(1..4) {
        mutate::mutate(&mut message, &mut rng);
    }
    let mut changed = vec![*first];
    changed.extend(message.encode_to_vec());
    (changed.len() <= most).then_some(changed)
}

/// Writes each right request, and has it tried: it must come as far as the database, or the
/// inbox.
fn sow(folder: &Path) {
    for (number, baseline) in baseline::baselines(&POOL).into_iter().enumerate() {
        let path = baseline::path(&baseline.method);
        let row = METHODS.iter().position(|row| row.path == path).unwrap();
        let message = baseline.message.encode_to_vec();
        let code = TRIED.call(&METHODS[row], &message).code();
        assert_eq!(
            code,
            of_right_form(&METHODS[row]),
            "{path}: {}",
            baseline.message
        );
        let mut seed = vec![u8::try_from(row).unwrap()];
        seed.extend(message);
        fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}

/// What must be true of the answer to any bytes.
fn check(row: &MethodRow, message: &[u8]) {
    let status = TRIED.call(row, message);
    if status.code() != Code::Ok {
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.domain, "countersign");
    }
    let details = status.get_error_details_vec().len();
    match status.code() {
        Code::Ok => assert_eq!(details, 0),
        Code::Unavailable => assert_eq!(details, 2, "an ErrorInfo and a RetryInfo"),
        Code::InvalidArgument => assert!(details <= 2, "an ErrorInfo, and a BadRequest"),
        code => panic!("{code:?}: {status:?}"),
    }
    // What was read is the message, not an accident of its bytes: encoded anew it is answered alike.
    let Ok(read) = DynamicMessage::decode(input(row), message) else {
        return;
    };
    let again = TRIED.call(row, &read.encode_to_vec());
    assert_eq!(verdict(&again), verdict(&status), "{}: {read}", row.name);
}

/// What a request of the right form is answered with.
fn of_right_form(row: &MethodRow) -> Code {
    if row.name == INBOX {
        Code::Ok
    } else {
        Code::Unavailable
    }
}

fn input(row: &MethodRow) -> MessageDescriptor {
    let (service, method) = row.name.split_once('.').unwrap();
    let service = POOL.get_service_by_name(&format!("countersign.v1.{service}"));
    let mut methods = service.unwrap().methods().collect::<Vec<_>>().into_iter();
    methods
        .find(|found| found.name() == method)
        .unwrap()
        .input()
}

/// The code, and the fields that are wrong. Of two fields of a map that are wrong the order is
/// another each time.
fn verdict(status: &Status) -> (Code, Vec<String>) {
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations);
    let fields = violations.unwrap_or_default().into_iter();
    let mut fields: Vec<String> = fields.map(|violation| violation.field).collect();
    fields.sort();
    (status.code(), fields)
}
