//! Signatures that are right, and all that are not.

use axum::http::HeaderValue;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn signed() -> Check {
    Check::Signed {
        secret: SecretString::from("hook"),
        signature: HeaderName::from_static("x-signature"),
        timestamp: HeaderName::from_static("x-timestamp"),
        separator: ".".to_owned(),
    }
}

#[test]
fn twilios_published_example_is_genuine() {
    let check = Check::Twilio {
        token: SecretString::from("12345"),
        url: "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
    };
    // The fields in another order than they are signed in.
    let body = b"To=%2B18005551212&Digits=1234&CallSid=CA1234567890ABCDE\
                 &From=%2B14158675309&Caller=%2B14158675309";
    let signature = headers(&[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")]);
    assert!(check.signature(&signature, body, NOW).is_ok());

    let body = &body[..body.len() - 1];
    assert_eq!(check.signature(&signature, body, NOW), Err(Fault::Forged));
}

/// Computed with Python's `hmac` and `hashlib`.
#[test]
fn the_signature_of_a_configured_aggregator_is_hmac_sha256_over_time_and_body() {
    let right = "11b6b7bbd329450e064d12c70806bce09a3a30ed93143035a20073294e6d8e1b";
    let body = br#"{"id":"m-1","status":"DELIVRD"}"#;
    let of = |signature: &str, time: &str| {
        let headers = headers(&[("x-signature", signature), ("x-timestamp", time)]);
        signed().signature(&headers, body, NOW).map(|_| ())
    };
    assert_eq!(of(right, "1800000000"), Ok(()));
    assert_eq!(of(&right.to_uppercase(), "1800000000"), Ok(()));
    for (signature, time) in [
        (right, "1800000001"),
        (&right[2..], "1800000000"),
        (&right.replace('a', "b"), "1800000000"),
        ("", "1800000000"),
        ("no digits", "1800000000"),
    ] {
        assert_eq!(
            of(signature, time),
            Err(Fault::Forged),
            "{signature} {time}"
        );
    }
    let none = headers(&[("x-timestamp", "1800000000")]);
    assert_eq!(signed().signature(&none, body, NOW), Err(Fault::Forged));
    let none = headers(&[("x-signature", right)]);
    assert_eq!(signed().signature(&none, body, NOW), Err(Fault::Forged));
}

#[test]
fn a_report_is_taken_for_five_minutes() {
    for (time, is_fresh_then) in [
        ("1800000000", true),
        ("1799999700", true),
        ("1799999699", false),
        ("1800000300", true),
        ("1800000301", false),
        ("0", false),
        ("", false),
        ("now", false),
        ("9223372036854775807", false),
        ("1800000000000", false),
    ] {
        assert_eq!(is_fresh(time, NOW), is_fresh_then, "{time}");
    }
}

/// Computed with Python's `hashlib`: the SHA-1 of `17:79123456789:1:word`.
#[test]
fn the_signature_of_smsc_is_over_id_phone_status_and_secret() {
    let check = Check::Smsc {
        secret: SecretString::from("word"),
    };
    let of = |body: &str| {
        check
            .signature(&HeaderMap::new(), body.as_bytes(), NOW)
            .map(|_| ())
    };
    let sha1 = "39566da88bb1bdcddada9dc97584a99360ed0ee0";
    assert_eq!(
        of(&format!(
            "id=17&phone=79123456789&status=1&sha1={sha1}&ts=5"
        )),
        Ok(())
    );
    for body in [
        format!("id=18&phone=79123456789&status=1&sha1={sha1}"),
        format!("id=17&phone=79123456780&status=1&sha1={sha1}"),
        format!("id=17&phone=79123456789&status=20&sha1={sha1}"),
        format!("id=17&phone=79123456789&sha1={sha1}"),
        "id=17&phone=79123456789&status=1&sha1=".to_owned(),
        "id=17&phone=79123456789&status=1".to_owned(),
        String::new(),
    ] {
        assert_eq!(of(&body), Err(Fault::Forged), "{body}");
    }
}
