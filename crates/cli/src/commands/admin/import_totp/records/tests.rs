//! Both forms of the file, and what is refused in them.

use super::*;

/// Base32 texts of seeds of 160 bits.
const ONE: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const TWO: &str = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK";

fn records(text: &str) -> Records {
    read(text.as_bytes(), PurposeSet::NONE).unwrap()
}

/// Each app as `line subject label`, then each refusal as `line subject: why`.
fn outline(text: &str) -> Vec<String> {
    let records = records(text);
    let apps = records.subjects.iter().flat_map(|of_subject| {
        let lines = of_subject.lines.iter().zip(&of_subject.apps);
        lines.map(|(line, app)| {
            let label = app.label.as_ref().map_or("-", Label::as_str);
            format!("{line} {} {label}", of_subject.subject)
        })
    });
    let refusals = records.refusals.iter().map(|refusal| {
        let subject = refusal.subject.as_ref().map_or("-", SubjectId::as_str);
        format!("{} {subject}: {}", refusal.line, refusal.why)
    });
    apps.chain(refusals).collect()
}

fn refused(text: &str) -> String {
    read(text.as_bytes(), PurposeSet::NONE)
        .err()
        .map_or_else(String::new, |error| format!("{error:#}"))
}

#[test]
fn columns_may_come_in_any_order_and_be_left_out() {
    let full = format!(
        "label,period,digits,Secret,algorithm,subject\n\
         Old broker,30,8,{ONE},sha256,anna\n\
         \"Old, older\",,,{TWO},,boris\n"
    );
    assert_eq!(outline(&full), ["2 anna Old broker", "3 boris Old, older"]);
    let least = format!("\n# old\nsubject, secret\r\nanna , {ONE}\r\n\r\n\"#b\"\"r\",{TWO}");
    assert_eq!(outline(&least), ["4 anna -", "6 #b\"r -"]);
    let marked = format!("\u{feff}subject,secret\nanna,{ONE}\n");
    assert_eq!(outline(&marked), ["2 anna -"]);
}

#[test]
fn a_column_of_uris_brings_issuer_and_secret() {
    let text = format!(
        "subject,otpauth,label\n\
         anna,otpauth://totp/Old:a%40example.com?secret={ONE},\n\
         boris,otpauth://totp/Old:b?secret={TWO},Phone\n"
    );
    assert_eq!(outline(&text), ["2 anna Old", "3 boris Phone"]);
}

#[test]
fn a_line_of_a_uri_names_subject_and_label() {
    let text = format!(
        "\n# of the old system\n  otpauth://totp/Old%20broker:anna?secret={ONE}&issuer=Old%20broker\r\n\
         \nOTPAUTH://totp/boris?secret={TWO}\n"
    );
    assert_eq!(outline(&text), ["3 anna Old broker", "5 boris -"]);
}

#[test]
fn each_record_that_is_refused_is_named_and_the_others_are_kept() {
    let text = format!(
        "subject,secret,period,digits,algorithm,label\n\
         anna,{ONE},60,,,\n\
         boris,{ONE},,7,,\n\
         clara,{ONE},,,md5,\n\
         dora,GEZDGNBV,,,,\n\
         erik,not base32!,,,,\n\
         ,{ONE},,,,\n\
         frida,{ONE},,,,{}\n\
         gerd,{ONE}\n\
         hans,{ONE},,,,\n",
        "x".repeat(65)
    );
    let expected = [
        "10 hans -",
        "2 anna: the period must be 30 seconds",
        "3 boris: a code must have 6 or 8 digits",
        "4 clara: the algorithm must be SHA1, SHA256 or SHA512",
        "5 dora: the secret has fewer than 128 bits",
        "6 erik: the secret is not base32",
        "7 -: a subject must have 1 to 128 bytes",
        "8 frida: a label must have 1 to 64 bytes beside surrounding spaces",
        "9 -: it has 2 fields, and the first line 6",
    ];
    assert_eq!(outline(&text), expected);
    let uris = format!(
        "otpauth://hotp/anna?secret={ONE}\n{ONE}\notpauth://totp/Old:?secret={ONE}\n\
         otpauth://totp/boris?secret={ONE}"
    );
    let expected = [
        "4 boris -",
        "1 -: its codes are not those of RFC 6238: the URI must begin with `otpauth://totp/`",
        "2 -: it must have one secret",
        "3 -: the account's name: a subject must have 1 to 128 bytes",
    ];
    assert_eq!(outline(&uris), expected);
}

#[test]
fn a_secret_counts_once_and_for_one_subject() {
    let text = format!(
        "subject,secret\nanna,{ONE}\nboris,{ONE}\nanna,{TWO}\nanna,{}\n",
        ONE.to_lowercase()
    );
    let expected = [
        "4 anna -",
        "2 anna: the same secret stands in line 3, for another subject",
        "3 boris: the same secret stands in line 2 already",
        "5 anna: the same secret stands in line 2 already",
    ];
    assert_eq!(outline(&text), expected);
    let twice = format!("subject,secret\nanna,{ONE}\nanna,{ONE}AAAA\n");
    let expected = [
        "2 anna -",
        "3 anna: the same secret stands in line 2 already",
    ];
    assert_eq!(outline(&twice), expected);
}

#[test]
fn a_secret_in_another_column_is_not_repeated() {
    let swapped = format!("secret,subject\nanna,{ONE}\n");
    let expected = ["2 -: what stands for the subject could be a secret: are two columns swapped?"];
    assert_eq!(outline(&swapped), expected);
    let old_mac = format!("secret,subject,label\r{ONE},anna,x\r");
    let error = read(old_mac.as_bytes(), PurposeSet::NONE).err().unwrap();
    assert!(!format!("{error:#}").contains(&ONE[..8]), "{error:#}");
}

#[test]
fn a_row_that_is_commented_out_is_none() {
    let text = format!("# old\nsubject,secret\n#anna,{ONE}\nboris,{TWO}\n");
    assert_eq!(outline(&text), ["4 boris -"]);
}

#[test]
fn a_line_without_an_end_is_refused() {
    let long = format!("subject,secret\n{}", "a".repeat(70_000));
    let error = read(long.as_bytes(), PurposeSet::NONE).err().unwrap();
    assert!(error.to_string().contains("line 2 is longer"), "{error:#}");
}

#[test]
fn a_missing_quote_hides_no_record() {
    let text = format!("subject,label,secret\nanna,\"Old,{ONE}\nboris,,{ONE}\nclara,,{TWO}\n");
    let expected = ["3 boris -", "4 clara -", "2 -: a quote is missing"];
    assert_eq!(outline(&text), expected);
}

#[test]
fn what_is_not_utf_8_is_refused_alone() {
    let csv = [
        b"subject,secret\nann\xff,".as_slice(),
        ONE.as_bytes(),
        b"\nboris,",
        TWO.as_bytes(),
    ];
    let read = read(&*csv.concat(), PurposeSet::NONE).unwrap();
    assert_eq!(read.subjects.len(), 1);
    assert_eq!(
        (read.refusals[0].line, &*read.refusals[0].why),
        (2, "it is not UTF-8")
    );
    let uris = [b"otpauth://totp/\xff\n".as_slice(), b"otpauth://totp/x\n"];
    let read = super::read(&*uris.concat(), PurposeSet::NONE).unwrap();
    assert_eq!(
        (read.refusals.len(), &*read.refusals[0].why),
        (2, "it is not UTF-8")
    );
}

#[test]
fn a_header_that_cannot_be_understood_is_an_error_that_says_what_would_be_right() {
    for (header, part) in [
        ("subject,secret,issuer", "the column \"issuer\" is unknown"),
        ("subject,secret,Secret", "`secret` is there twice"),
        (
            "subject,label",
            "there must be a column `secret` or `otpauth`",
        ),
        ("subject,secret,otpauth", "not both"),
        ("subject,otpauth,period", "can be no columns beside it"),
        ("account,secret", "no column `subject`"),
        ("", "no column `subject`"),
    ] {
        let said = refused(&format!("{header}\nx,y,z\n"));
        assert!(said.contains(part), "{header}: {said}");
    }
}

#[test]
fn nothing_that_is_said_shows_a_secret() {
    let canary = "MNQW4YLSPEWWGYLOMFZHSLLDMFXGC4TZFVRWC3TBOJ4Q";
    // A file without a header.
    let mut said = refused(&format!("{canary},anna\n{canary},boris\n"));
    said += &refused(&format!("anna,{canary}\n"));
    for text in [
        format!("subject,secret,digits\nanna,{canary}?,6\nanna,{canary},{canary}\nanna,{canary}\n"),
        format!("subject,secret\nanna,{canary}\nanna,{canary}\nanna,\"{canary}\nx"),
        format!(
            "otpauth://hotp/anna?secret={canary}\notpauth://totp/anna?secret={canary}&digits=7"
        ),
    ] {
        said += &outline(&text).join(" ");
        said += &format!("{:?}", records(&text).subjects);
    }
    assert!(said.contains("anna"), "{said}");
    assert!(
        !said.contains(&canary[..16]) && !said.contains("canary"),
        "{said}"
    );
}
