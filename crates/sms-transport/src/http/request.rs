//! The request that a message becomes.

use std::path::Path;

use countersign_mfa::ports::sms::Outgoing;
use countersign_primitives::{ExposeSecret as _, SecretString};
use reqwest::{
    Client, Method, Request, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    client::address,
    header_name,
    template::{Slot, Template, Values, as_is, in_json, in_url},
};
use crate::settings::{self, BasicAuth, Checked, HttpSettings, Place, Secrets};

/// What a request is made from.
pub(super) struct Blueprint {
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    basic_auth: Option<(String, SecretString)>,
    query: Vec<(String, Template)>,
    body: Body,
}

enum Body {
    Nothing,
    Json(Template),
    Form(Vec<(String, Template)>),
}

impl Blueprint {
    /// As the settings have it: looks whether a sample makes a request.
    pub(super) fn new(
        settings: &HttpSettings,
        secrets: &Secrets,
        folder: &Path,
        client: &Client,
        place: &Place,
    ) -> Checked<Self> {
        let read = |text: &str, key: &str| Template::parse(text, secrets, &place.key(key));
        let mut headers = Vec::new();
        for (name, text) in &settings.headers {
            headers.push(header(name, text, secrets, &place.key("headers"))?);
        }
        if let Some(name) = &settings.idempotency_header {
            let name = header_name(name, &place.key("idempotency_header"))?;
            headers.push((name, read("{id}", "idempotency_header")?));
        }
        let body = match (&settings.json, &settings.form) {
            (None, None) => Body::Nothing,
            (Some(json), None) => Body::Json(read(json, "json")?),
            (None, Some(form)) => Body::Form(pairs(form, secrets, &place.key("form"))?),
            (Some(_), Some(_)) => return Err(place.wrong("has json and form: only one is sent")),
        };
        let basic_auth = |auth: &BasicAuth| -> Checked<_> {
            let place = place.key("basic_auth.password");
            Ok((auth.user.clone(), auth.password.read(folder, &place)?))
        };
        let blueprint = Self {
            method: match settings.method {
                settings::Method::Get => Method::GET,
                settings::Method::Post => Method::POST,
                settings::Method::Put => Method::PUT,
            },
            url: read(&settings.url, "url")?,
            headers,
            basic_auth: settings.basic_auth.as_ref().map(basic_auth).transpose()?,
            query: pairs(&settings.query, secrets, &place.key("query"))?,
            body,
        };
        blueprint.check(client, place)?;
        Ok(blueprint)
    }

    /// The request for a message.
    pub(super) fn request(&self, client: &Client, message: &Outgoing) -> Option<Request> {
        self.fill(client, &Values::of(message))
    }

    fn check(&self, client: &Client, place: &Place) -> Checked<()> {
        let url = place.key("url");
        let host = self.url.beginning().split_once("://");
        if !host.is_some_and(|(_, host)| host.contains('/')) {
            let rule = "must begin with https:// and a host without placeholders, then a path";
            return Err(url.wrong(rule));
        }
        let sample = Values::sample();
        address(&self.url.fill(&sample, in_url), &url)?;
        if self.method == Method::GET && !matches!(self.body, Body::Nothing) {
            return Err(place.wrong("has a body, which GET sends none of: use query"));
        }
        if let Body::Json(template) = &self.body {
            let filled = template.fill(&sample, in_json);
            serde_json::from_str::<serde_json::Value>(&filled).map_err(|error| {
                let rule = format!("is no JSON once it is filled in: {error}");
                place.key("json").wrong(&rule)
            })?;
        }
        let with_id = self.headers.iter().any(|(name, _)| *name == AUTHORIZATION);
        if with_id && self.basic_auth.is_some() {
            return Err(place.wrong("has basic_auth and a header Authorization: only one is sent"));
        }
        for (slot, what) in [(Slot::Text, "text"), (Slot::Number, "number")] {
            if !self.sends(slot) {
                let rule =
                    format!("sends no {what}: {{{what}}} stands in none of url, query, form, json");
                return Err(place.wrong(&rule));
            }
        }
        if self.fill(client, &sample).is_none() {
            return Err(place.wrong("makes no request that can be sent"));
        }
        Ok(())
    }

    fn sends(&self, slot: Slot) -> bool {
        let has = |template: &Template| match slot {
            Slot::Number => template.has(slot) || template.has(Slot::NumberDigits),
            other => template.has(other),
        };
        let any = |pairs: &[(String, Template)]| pairs.iter().any(|(_, template)| has(template));
        let body = match &self.body {
            Body::Nothing => false,
            Body::Json(template) => has(template),
            Body::Form(pairs) => any(pairs),
        };
        body || has(&self.url) || any(&self.query)
    }

    fn fill(&self, client: &Client, values: &Values<'_>) -> Option<Request> {
        let url = Url::parse(&self.url.fill(values, in_url)).ok()?;
        let mut request = client.request(self.method.clone(), url);
        if !self.query.is_empty() {
            request = request.query(&filled(&self.query, values));
        }
        request = match &self.body {
            Body::Nothing => request,
            Body::Json(template) => request
                .header(CONTENT_TYPE, "application/json")
                .body(template.fill(values, in_json)),
            Body::Form(pairs) => request.form(&filled(pairs, values)),
        };
        if let Some((user, password)) = &self.basic_auth {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        let mut request = request.build().ok()?;
        for (name, template) in &self.headers {
            let mut value = HeaderValue::try_from(template.fill(values, as_is)).ok()?;
            value.set_sensitive(true);
            request.headers_mut().insert(name.clone(), value);
        }
        Some(request)
    }
}

fn header(
    name: &str,
    text: &str,
    secrets: &Secrets,
    place: &Place,
) -> Checked<(HeaderName, Template)> {
    let name = header_name(name, place)?;
    let place = place.key(&name);
    let template = Template::parse(text, secrets, &place)?;
    if template.has(Slot::Text) {
        return Err(place.wrong("has {text}, which no header can hold"));
    }
    if name == AUTHORIZATION && !template.has_secret() {
        let rule = "must take its secret from secrets, as in \"Bearer {secret:token}\"";
        return Err(place.wrong(rule));
    }
    if HeaderValue::try_from(template.fill(&Values::sample(), as_is)).is_err() {
        return Err(place.wrong("has characters that no header can hold"));
    }
    Ok((name, template))
}

fn pairs<'a>(
    texts: impl IntoIterator<Item = (&'a String, &'a String)>,
    secrets: &Secrets,
    place: &Place,
) -> Checked<Vec<(String, Template)>> {
    let read = |(key, text): (&String, &String)| {
        let template = Template::parse(text, secrets, &place.key(key))?;
        Ok((key.clone(), template))
    };
    texts.into_iter().map(read).collect()
}

fn filled<'a>(pairs: &'a [(String, Template)], values: &Values<'_>) -> Vec<(&'a str, String)> {
    let fill =
        |(key, template): &'a (String, Template)| (key.as_str(), template.fill(values, as_is));
    pairs.iter().map(fill).collect()
}
