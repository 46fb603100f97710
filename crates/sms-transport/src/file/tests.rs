//! Messages as files: whole, private, each once.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::*;
use crate::testing::message;

fn settings(directory: &str) -> FileSettings {
    FileSettings {
        directory: directory.into(),
    }
}

#[tokio::test]
async fn a_message_is_a_file_of_its_owners_alone() {
    let staging = tempfile::tempdir().unwrap();
    let place = Place::provider("staging");
    let folder = Folder::open(&settings("sms/sent"), staging.path(), &place).unwrap();
    let accepted = Submission::Accepted { carrier_id: None };
    // The second takes the place of the first.
    assert_eq!(folder.submit(&message(7)).await, accepted);
    assert_eq!(folder.submit(&message(7)).await, accepted);

    let made = staging.path().join("sms/sent");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made), OWNER_ONLY_FOLDER);
    let files: Vec<_> = fs::read_dir(&made)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files, [made.join(format!("{}.json", message(7).id))]);
    assert_eq!(mode(&files[0]), OWNER_ONLY_FILE);
    let written: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "id": message(7).id.to_string(),
            "number": "+79123456789",
            "text": "Ваш код: 123456",
            "validity_seconds": 290,
        })
    );
}

#[test]
fn a_folder_that_cannot_be_is_refused_at_start() {
    let staging = tempfile::tempdir().unwrap();
    fs::write(staging.path().join("taken"), "").unwrap();
    let place = Place::provider("staging");
    let open = |directory: &str| Folder::open(&settings(directory), staging.path(), &place).err();
    let wrong = open("taken").unwrap();
    assert!(wrong.starts_with("sms.providers.staging.directory names the folder"));
    assert!(wrong.contains("cannot be written into"), "{wrong}");
    assert_eq!(
        open("").unwrap(),
        "sms.providers.staging.directory must be a folder that messages are written into"
    );
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_provider_that_is_not_reached() {
    let staging = tempfile::tempdir().unwrap();
    let place = Place::provider("staging");
    let folder = Folder::open(&settings("sms"), staging.path(), &place).unwrap();
    fs::remove_dir(staging.path().join("sms")).unwrap();
    let outcome = folder.submit(&message(1)).await;
    assert!(matches!(outcome, Submission::Unreachable(_)), "{outcome:?}");
}
