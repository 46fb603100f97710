//! Files and folders for their owner alone.

use tempfile::TempDir;

use super::*;

#[test]
fn new_keys_are_for_their_owner_alone_and_can_be_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.toml");
    create_keys(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    read_keys(&path).unwrap();
}

#[test]
fn keys_are_never_overwritten() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.toml");
    create_keys(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = create_keys(&path).unwrap_err();
    assert!(format!("{error:#}").contains("there already"), "{error:#}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn keys_that_others_can_read_are_refused_with_the_command_that_helps() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.toml");
    create_keys(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = format!("{:#}", read_keys(&path).unwrap_err());
    assert!(
        error.contains(&format!("chmod 600 {}", path.display())),
        "{error}"
    );
}

#[test]
fn a_missing_key_file_is_not_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.toml");
    let error = format!("{:#}", read_keys(&path).unwrap_err());
    assert!(error.contains("countersign keys init"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_new_folder_is_for_its_owner_alone_and_an_open_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    private_folder(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let error = format!("{:#}", private_folder(&path).unwrap_err());
    assert!(error.contains("chmod 700"), "{error}");
}
