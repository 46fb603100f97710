//! What is taken over, what is forgiven, and what is refused.

use countersign_primitives::Timestamp;

use super::*;
use crate::Step;

/// The seed of RFC 6238 appendix B, and its text.
const SEED: &[u8] = b"12345678901234567890";
const TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn taken(secret: &str) -> Result<Authenticator, ImportError> {
    Authenticator::from_base32(secret, Algorithm::Sha1, Digits::Six)
}

fn refused(uri: &str) -> ImportError {
    Authenticator::from_otpauth(uri).unwrap_err()
}

#[test]
fn a_uri_is_taken_over_with_its_codes_and_names() {
    let uri = format!(
        "otpauth://totp/Broker%20One:anna%40example.com?secret={TEXT}&issuer=Broker%20One\
         &algorithm=SHA1&digits=8&period=30"
    );
    let told = Authenticator::from_otpauth(&uri).unwrap();
    assert_eq!(told.issuer.as_deref(), Some("Broker One"));
    assert_eq!(told.account, "anna@example.com");
    let step = Step::at(Timestamp::from_millis(59_000));
    let code = told.authenticator.code(step);
    assert_eq!(code.expose_secret(), "94287082");
}

#[test]
fn what_a_uri_leaves_out_is_what_every_app_knows() {
    let told = Authenticator::from_otpauth(&format!("otpauth://totp/anna?secret={TEXT}")).unwrap();
    assert_eq!((told.issuer, told.account.as_str()), (None, "anna"));
    let Authenticator {
        algorithm, digits, ..
    } = told.authenticator;
    assert_eq!((algorithm, digits), (Algorithm::Sha1, Digits::Six));
}

#[test]
fn what_we_tell_an_app_is_taken_over_as_it_was() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        let seed = SecretBytes::new(vec![0xa5; algorithm.seed_bytes()]);
        let ours = Authenticator::new(algorithm, Digits::Eight, seed);
        let told = ours.provisioning("Broker", "anna").unwrap();
        let back = Authenticator::from_otpauth(told.otpauth_uri.expose_secret()).unwrap();
        let step = Step::at(Timestamp::from_millis(1_800_000_000_000));
        let codes = [&ours, &back.authenticator].map(|app| app.code(step));
        assert_eq!(codes[0].expose_secret(), codes[1].expose_secret());
        assert!(ours.is_same_seed(&back.authenticator));
    }
}

#[test]
fn case_spaces_dashes_and_padding_are_forgiven() {
    let padded = "ge zd gn bv-gy3t qojq gezd gnbv gy3t qoi= ====";
    assert_eq!(taken(TEXT).unwrap().seed.expose(), SEED);
    assert_eq!(taken(&TEXT.to_lowercase()).unwrap().seed.expose(), SEED);
    assert_eq!(taken(padded).unwrap().seed.expose(), &SEED[..19]);
    let lower = TEXT.to_lowercase();
    for secret in [
        format!("{}+{}", &lower[..16], &lower[16..]),
        format!("{}%20{}%3D%3d=", &TEXT[..4], &TEXT[4..]),
    ] {
        let uri = format!("otpauth://totp/anna?digits=6&secret={secret}&issuer=Broker#more");
        let told = Authenticator::from_otpauth(&uri).unwrap();
        assert_eq!(told.authenticator.seed.expose(), SEED, "{secret}");
    }
}

#[test]
fn bits_after_the_last_byte_are_passed_over() {
    // 26 characters are 130 bits, of which apps take 128.
    let even = taken("GEZDGNBVGY3TQOJQGEZDGNBVGY").unwrap();
    let odd = taken("GEZDGNBVGY3TQOJQGEZDGNBVGZ").unwrap();
    assert_eq!(even.seed.expose(), &SEED[..16]);
    assert!(even.is_same_seed(&odd));
}

#[test]
fn a_seed_has_128_to_1024_bits() {
    assert_eq!(taken("").unwrap_err(), ImportError::SecretTooShort);
    let short = &TEXT[..25];
    assert_eq!(taken(short).unwrap_err(), ImportError::SecretTooShort);
    let long = |bytes| data_encoding::BASE32_NOPAD.encode(&vec![7; bytes]);
    assert!(taken(&long(128)).is_ok());
    assert_eq!(taken(&long(129)).unwrap_err(), ImportError::SecretTooLong);
}

#[test]
fn what_is_no_base32_is_refused() {
    for text in [
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
        "hell0",
        "Ä",
        "GE=ZDGNBVGY3TQOJQGEZDGNBVGY",
    ] {
        assert_eq!(
            taken(text).unwrap_err(),
            ImportError::SecretMalformed,
            "{text}"
        );
    }
}

#[test]
fn other_codes_than_those_of_rfc_6238_with_30_seconds_are_refused() {
    let uri = |parameters: &str| format!("otpauth://totp/anna?secret={TEXT}&{parameters}");
    for (parameters, reason) in [
        ("period=60", ImportError::Period),
        ("period=0", ImportError::Period),
        ("period=half", ImportError::Period),
        ("digits=7", ImportError::Digits),
        ("digits=5&issuer=Steam", ImportError::Digits),
        ("digits=", ImportError::Digits),
        ("algorithm=MD5", ImportError::Algorithm),
        ("algorithm=STEAM", ImportError::Algorithm),
    ] {
        assert_eq!(refused(&uri(parameters)), reason, "{parameters}");
    }
    for kind in ["hotp", "steam", "yaotp"] {
        let uri = format!("otpauth://{kind}/anna?secret={TEXT}&counter=0");
        assert_eq!(refused(&uri), ImportError::NotTimeBased, "{kind}");
    }
    assert_eq!(require_period("30"), Ok(()));
    assert_eq!(require_period("60"), Err(ImportError::Period));
}

#[test]
fn a_uri_that_contradicts_itself_is_refused() {
    let two = format!("otpauth://totp/anna?secret={TEXT}&secret=AAAA");
    assert_eq!(refused(&two), ImportError::Secret);
    let issuers = format!("otpauth://totp/One:anna?secret={TEXT}&issuer=Two");
    assert_eq!(refused(&issuers), ImportError::IssuerMismatch);
    assert_eq!(refused("otpauth://totp/anna"), ImportError::Secret);
    assert_eq!(
        refused("otpauth://totp/anna?issuer=Broker"),
        ImportError::Secret
    );
    let scheme = format!("https://totp/anna?secret={TEXT}");
    assert_eq!(refused(&scheme), ImportError::Uri);
    let not_utf8 = format!("otpauth://totp/%ff?secret={TEXT}");
    assert_eq!(refused(&not_utf8), ImportError::Uri);
}

#[test]
fn names_are_read_in_either_case() {
    assert_eq!("sha-256".parse(), Ok(Algorithm::Sha256));
    assert_eq!("Sha512".parse(), Ok(Algorithm::Sha512));
    assert_eq!("".parse::<Algorithm>(), Err(ImportError::Algorithm));
    assert_eq!("8".parse(), Ok(Digits::Eight));
    assert_eq!("7".parse::<Digits>(), Err(ImportError::Digits));
    assert_eq!("six".parse::<Digits>(), Err(ImportError::Digits));
}

#[test]
fn apps_are_the_same_by_their_seed_alone() {
    let six = taken(TEXT).unwrap();
    let eight = Authenticator::from_base32(TEXT, Algorithm::Sha256, Digits::Eight).unwrap();
    assert!(six.is_same_seed(&eight));
    assert!(!six.is_same_seed(&taken("GEZDGNBVGY3TQOJQGEZDGNBVGY").unwrap()));
}

#[test]
fn nothing_that_is_said_of_a_record_holds_its_secret() {
    // 45 characters, so that no other text can hold them by chance.
    let canary = "MNQW4YLSPEWWGYLOMFZHSLLDMFXGC4TZFVRWC3TBOJ4Q";
    let good = Authenticator::from_otpauth(&format!("otpauth://totp/anna?secret={canary}"));
    let mut said = format!("{good:?}");
    let short = &canary[..20];
    for uri in [
        format!("otpauth://hotp/anna?secret={canary}"),
        format!("otpauth://totp/anna?secret={canary}!"),
        format!("otpauth://totp/anna?secret={short}"),
        format!("otpauth://totp/anna?digits={canary}&secret={canary}"),
        format!("otpauth://totp/anna?period={canary}&secret={canary}"),
        format!("otpauth://totp/anna?algorithm={canary}&secret={canary}"),
        format!("otpauth://totp/{canary}:anna?issuer=Broker&secret={canary}"),
        format!("otpauth://{canary}/anna?secret={canary}"),
        format!("{canary}://totp/anna?secret={canary}"),
        format!("otpauth://totp:{canary}/anna?secret={canary}"),
        format!("{canary},anna,SHA1"),
    ] {
        let error = refused(&uri);
        said.push_str(&format!("{error} {error:?} "));
    }
    for error in [
        taken(&format!("{canary}?")).unwrap_err(),
        canary.parse::<Algorithm>().unwrap_err(),
        canary.parse::<Digits>().unwrap_err(),
        require_period(canary).unwrap_err(),
    ] {
        said.push_str(&format!("{error} {error:?} "));
    }
    let said = said.to_uppercase();
    for part in [short, "CANARY"] {
        assert!(!said.contains(part), "{said}");
    }
}
