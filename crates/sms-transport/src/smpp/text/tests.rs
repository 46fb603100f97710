//! Texts as a carrier is given them: coding, parts, headers.

use super::*;

fn bodies_of(text: &str, alphabet: DefaultAlphabet) -> Vec<Body> {
    bodies(text, 9, Long::Udh, alphabet).unwrap()
}

#[test]
fn no_part_is_longer_than_a_network_carries() {
    for (text, parts) in [
        ("a".repeat(160), 1),
        ("a".repeat(161), 2),
        ("€".repeat(80), 1),
        ("€".repeat(81), 2),
        ("я".repeat(70), 1),
        ("я".repeat(71), 2),
        ("🙅".repeat(35), 1),
        ("🙅".repeat(36), 2),
    ] {
        let bodies = bodies_of(&text, DefaultAlphabet::Gsm7);
        assert_eq!(bodies.len(), parts, "{text}");
        for body in bodies {
            assert_eq!(body.has_header, parts > 1);
            // A septet is a byte here: 140 bytes are 160 of them, and a header takes 7.
            let most = match (body.data_coding, parts) {
                (DEFAULT, 1) => 160,
                (DEFAULT, _) => 159,
                _ => 140,
            };
            assert!(body.bytes.len() <= most, "{text}");
        }
    }
}

#[test]
fn parts_are_numbered_from_one() {
    let bodies = bodies_of(&"я".repeat(200), DefaultAlphabet::Gsm7);
    let headers: Vec<_> = bodies.iter().map(|body| &body.bytes[..6]).collect();
    let expected = [
        &[5, 0, 3, 9, 3, 1],
        &[5, 0, 3, 9, 3, 2],
        &[5, 0, 3, 9, 3, 3],
    ];
    assert_eq!(headers, expected);
}

#[test]
fn what_the_header_cannot_number_is_too_long() {
    let longest = "я".repeat(255 * 67);
    let cut = |text: &str, long| bodies(text, 0, long, DefaultAlphabet::Gsm7);
    assert_eq!(cut(&longest, Long::Udh).unwrap().len(), 255);
    assert!(cut(&(longest.clone() + "я"), Long::Udh).is_none());
}

#[test]
fn latin_1_is_used_where_it_has_every_character() {
    let latin1 = |text: &str| {
        let bodies = bodies_of(text, DefaultAlphabet::Latin1);
        let codings: Vec<_> = bodies.iter().map(|body| body.data_coding).collect();
        (codings, bodies[0].bytes.clone())
    };
    assert_eq!(latin1("@é_"), (vec![DEFAULT], vec![0x40, 0xE9, 0x5F]));
    assert_eq!(latin1("Ω"), (vec![UCS2], vec![0x03, 0xA9]));
    assert_eq!(latin1("я"), (vec![UCS2], vec![0x04, 0x4F]));
    assert_eq!(latin1(&"Ω".repeat(71)).0, [UCS2, UCS2]);
    // It is the alphabet of GSM in the end: an escape takes a septet.
    assert_eq!(latin1(&"[".repeat(81)).0, [DEFAULT, DEFAULT]);
}
