//! Certificates: whose they are, who vouches for them, and for how long.

use std::time::Duration;

use countersign_gateway::{
    BundleFound, ChainFound, Life, TlsError, TlsExamination, TlsFiles, TlsVersion, TrustDomain,
    Vouched,
};
use countersign_primitives::Timestamp;

use super::Line;
use crate::output::instant;

/// When the end of a certificate is near: so long before it, or in the last fifth of its life where
/// that is shorter. Certificates of an hour are renewed all the time.
const NEAR_THE_END: Duration = Duration::from_secs(7 * 24 * 3600);
const PARTS_OF_A_LIFE: u32 = 5;

const CERTIFICATE: &str = "certificate";
const EXPIRY: &str = "certificate's expiry";
const KEY: &str = "certificate's key";

/// Judges what the files of TLS hold.
pub(super) fn judge(found: &TlsExamination, files: &TlsFiles, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    match &found.chain {
        Ok(chain) => lines.extend(judge_chain(chain, now)),
        Err(error) => lines.push(unreadable(CERTIFICATE, error, "tls.certificate")),
    }
    match &found.key {
        Ok(()) => {}
        Err(error) => lines.push(unreadable(KEY, error, "tls.key")),
    }
    match &found.whole {
        Some(Ok(())) => lines.push(Line::ok(KEY, "is that of the certificate")),
        // It has a line of its own.
        Some(Err(TlsError::Bundle { .. })) => {}
        Some(Err(error)) => lines.push(Line::wrong(
            KEY,
            with_source(error),
            "name in `tls.key` the key that the certificate of `tls.certificate` was issued for",
        )),
        None => {}
    }
    for (domain, bundle) in &found.bundles {
        let check = format!("bundle of {}", domain.as_str());
        match bundle {
            Ok(bundle) => lines.push(judge_bundle(&check, domain, bundle, now)),
            Err(error) => {
                let key = format!("tls.bundles.\"{}\"", domain.as_str());
                lines.push(unreadable(&check, error, &key));
            }
        }
    }
    lines.push(match files.min_version {
        TlsVersion::Tls13 => Line::ok("TLS version", "1.3"),
        TlsVersion::Tls12 => Line::warning(
            "TLS version",
            "1.2 is spoken too",
            "remove `tls.min_version`, or set it to \"1.3\", once every caller speaks 1.3",
        ),
    });
    lines
}

fn unreadable(check: &str, error: &TlsError, key: &str) -> Line {
    Line::wrong(
        check,
        with_source(error),
        format!("name in `{key}` a PEM file that the user of the gateway may read"),
    )
}

fn with_source(error: &TlsError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn judge_chain(chain: &ChainFound, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    match &chain.id {
        Err(why) => lines.push(Line::wrong(
            CERTIFICATE,
            why,
            "have one issued that is an X.509-SVID: one URI, spiffe://DOMAIN/PATH, among its \
             alternative names, key usage digitalSignature, CA:FALSE",
        )),
        Ok(id) => lines.push(match &chain.vouched {
            Vouched::Yes => Line::ok(
                CERTIFICATE,
                format!("{id}, vouched for by its trust domain"),
            ),
            Vouched::NobodyToAsk => Line::ok(
                CERTIFICATE,
                format!("{id}; there is no bundle of its trust domain here to compare with"),
            ),
            Vouched::No(why) => Line::wrong(
                CERTIFICATE,
                why,
                format!(
                    "put the intermediate certificates behind the leaf in `tls.certificate`, or \
                     bring `tls.bundles.\"{}\"` up to date",
                    id.trust_domain()
                ),
            ),
        }),
    }
    if !chain.has_names {
        lines.push(Line::warning(
            "certificate's names",
            "no DNS name and no address: clients that check names refuse the gateway",
            "have one issued with the name that callers connect to, unless all of them check the \
             SPIFFE id",
        ));
    }
    lines.push(judge_expiry(chain, now));
    lines
}

fn judge_expiry(chain: &ChainFound, now: Timestamp) -> Line {
    let renew = "have another one issued and put it in the place of `tls.certificate` and \
                 `tls.key`: a gateway that runs takes it over within a second";
    if now < chain.leaf.from {
        return Line::wrong(
            EXPIRY,
            format!(
                "it is valid from {} on, and not yet",
                instant(chain.leaf.from)
            ),
            "look whether the clock of this machine is right",
        );
    }
    // A chain is good for as long as all of it is.
    let life = Life {
        from: chain.leaf.from,
        until: chain.first_end,
    };
    let found = ends(life.until, now);
    if life.until < now {
        Line::wrong(EXPIRY, found, renew)
    } else if is_near_its_end(life, now) {
        Line::warning(EXPIRY, found, renew)
    } else {
        Line::ok(EXPIRY, found)
    }
}

fn judge_bundle(check: &str, domain: &TrustDomain, bundle: &BundleFound, now: Timestamp) -> Line {
    let count = match bundle.authorities.len() {
        1 => "1 authority".to_owned(),
        count => format!("{count} authorities"),
    };
    let expired = bundle.authorities.iter().filter(|life| life.until < now);
    let expired = expired.count();
    let Some(first) = bundle.authorities.iter().min_by_key(|life| life.until) else {
        return Line::ok(check, count);
    };
    let found = format!("{count}; the first {}", ends(first.until, now));
    let advice = format!(
        "bring `tls.bundles.\"{}\"` up to date with the authorities of the trust domain",
        domain.as_str()
    );
    if expired == bundle.authorities.len() {
        Line::wrong(check, format!("{found}, and there is none besides"), advice)
    } else if expired > 0 || is_near_its_end(*first, now) {
        Line::warning(check, found, advice)
    } else {
        Line::ok(check, found)
    }
}

fn is_near_its_end(life: Life, now: Timestamp) -> bool {
    let whole = life.from.until(life.until);
    now.until(life.until) < NEAR_THE_END.min(whole / PARTS_OF_A_LIFE)
}

/// When it ends, and how long that is from now.
fn ends(until: Timestamp, now: Timestamp) -> String {
    let at = instant(until);
    if until < now {
        return format!("expired at {at}, {} ago", span(until.until(now)));
    }
    format!("expires at {at}, {} left", span(now.until(until)))
}

/// A span in whole days, with hours and minutes where there are few.
fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match days {
        0 => format!("0 days {hours} h {} min", minutes % 60),
        1..=2 => format!("{days} days {hours} h"),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
