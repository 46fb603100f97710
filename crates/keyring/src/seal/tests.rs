//! A sealed part opens where it was sealed, and nowhere else.

use countersign_primitives::ExposeSecret;
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{generate_file, parse_file};

fn keyring(seed: u64) -> Keyring {
    let mut rng = StdRng::seed_from_u64(seed);
    parse_file(generate_file(&mut rng).expose_secret()).unwrap()
}

fn subject(id: &str) -> SubjectId {
    SubjectId::parse(id).unwrap()
}

#[test]
fn a_sealed_part_opens_only_in_its_place_with_its_key_and_unchanged() {
    let (anna, boris) = (subject("anna"), subject("boris"));
    let place = Place {
        table: "subject",
        subject: &anna,
        column: "secrets",
    };
    let keys = keyring(1);
    let plain = SecretBytes::new(b"seed".to_vec());
    let mut rng = StdRng::seed_from_u64(2);
    let blob = keys.seal(place, &plain, &mut rng).unwrap();
    assert_eq!(keys.open(place, &blob).unwrap().expose(), b"seed");

    let elsewhere = [
        Place {
            subject: &boris,
            ..place
        },
        Place {
            table: "other",
            ..place
        },
        Place {
            column: "other",
            ..place
        },
    ];
    for other in elsewhere {
        assert_eq!(keys.open(other, &blob).unwrap_err(), OpenError);
    }
    assert_eq!(keyring(3).open(place, &blob).unwrap_err(), OpenError);
    for position in 0..blob.len() {
        let mut changed = blob.clone();
        changed[position] ^= 1;
        assert_eq!(
            keys.open(place, &changed).unwrap_err(),
            OpenError,
            "{position}"
        );
    }
    for length in 0..blob.len() {
        assert_eq!(keys.open(place, &blob[..length]).unwrap_err(), OpenError);
    }
}

#[test]
fn sealing_twice_gives_two_blobs() {
    let anna = subject("anna");
    let place = Place {
        table: "subject",
        subject: &anna,
        column: "secrets",
    };
    let plain = SecretBytes::new(b"seed".to_vec());
    let mut rng = StdRng::seed_from_u64(2);
    let keys = keyring(1);
    let one = keys.seal(place, &plain, &mut rng).unwrap();
    assert_ne!(one, keys.seal(place, &plain, &mut rng).unwrap());
}
