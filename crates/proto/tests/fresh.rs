//! The checked-in code is what the generator makes of the proto files.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy excepts only the test functions themselves"
)]

use std::{env, fs, path::Path};

use prost::Message as _;

/// Messages whose `Debug` is written by hand, in `src/redact.rs`.
const SECRET: [&str; 9] = [
    "countersign.v1.InboxMessage",
    "countersign.v1.SmsServiceBeginEnableRequest",
    "countersign.v1.SmsServiceConfirmEnableRequest",
    "countersign.v1.BackupCodeList",
    "countersign.v1.Proof",
    "countersign.v1.PinServiceSetRequest",
    "countersign.v1.PinServiceChangeRequest",
    "countersign.v1.TotpServiceBeginEnableResponse",
    "countersign.v1.TotpServiceConfirmEnableRequest",
];

/// The oneofs of those messages.
const ONEOFS: [&str; 5] = [
    "countersign.v1.SmsServiceConfirmEnableRequest.authorization",
    "countersign.v1.Proof.authenticator",
    "countersign.v1.PinServiceSetRequest.authorization",
    "countersign.v1.PinServiceChangeRequest.authorization",
    "countersign.v1.TotpServiceConfirmEnableRequest.authorization",
];

#[test]
fn the_generated_code_is_fresh() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().unwrap();
    generate(&here.join("../../proto"), made.path());

    let kept = here.join("src/gen");
    let regenerate = env::var_os("COUNTERSIGN_REGENERATE").is_some();
    let mut names: Vec<_> = fs::read_dir(made.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["countersign.v1.rs", "countersign_descriptor.bin"]);
    for name in names {
        let fresh = fs::read(made.path().join(&name)).unwrap();
        if regenerate {
            fs::write(kept.join(&name), &fresh).unwrap();
        }
        let is_fresh = fs::read(kept.join(&name)).is_ok_and(|kept| kept == fresh);
        assert!(
            is_fresh,
            "{name:?} is stale: run `COUNTERSIGN_REGENERATE=1 cargo test -p countersign-proto`"
        );
    }
}

fn generate(root: &Path, out: &Path) {
    let mut files: Vec<_> = fs::read_dir(root.join("countersign/v1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let described = protox::compile(&files, [root]).unwrap();
    fs::write(
        out.join("countersign_descriptor.bin"),
        described.encode_to_vec(),
    )
    .unwrap();
    // Leaving `Debug` out of a message leaves it out of its oneofs too, which hide nothing.
    let generator = ONEOFS.iter().fold(
        tonic_prost_build::configure().skip_debug(SECRET),
        |generator, oneof| generator.type_attribute(oneof, "#[derive(Debug)]"),
    );
    generator
        .btree_map(".")
        .out_dir(out)
        .compile_fds(described)
        .unwrap();
}
