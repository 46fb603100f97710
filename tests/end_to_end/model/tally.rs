//! What happened in the histories that were played.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::request::{Answer, By, Change, Factor, Request};

/// Set to see it.
const TALLY: &str = "COUNTERSIGN_TEST_TALLY";

/// How often what was answered.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<String, u32>);

impl Tally {
    pub(crate) fn note(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    pub(crate) fn answered(&mut self, request: &Request, answer: &Answer) {
        self.note(&name(request, answer));
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (name, times) in other.0 {
            *self.0.entry(name).or_default() += times;
        }
    }

    /// That these happened: else what was played proves little.
    pub(crate) fn require(&self, names: &[&str]) -> Result<()> {
        if std::env::var_os(TALLY).is_some() {
            eprintln!("{} commands: {:#?}", self.sum(), self.0);
        }
        for name in names {
            let has_happened = self.0.contains_key(*name);
            ensure!(has_happened, "{name:?} never happened: {:#?}", self.0);
        }
        Ok(())
    }

    fn sum(&self) -> u32 {
        self.0.values().sum()
    }
}

fn name(request: &Request, answer: &Answer) -> String {
    let mut asked = match request {
        Request::Settings(asked) => match (&asked.change, asked.service) {
            (Change::FirstPin, _) => "SetPin",
            (Change::OtherPin, _) => "ChangePin",
            (Change::EnableApp { .. }, _) => "ConfirmEnable",
            (Change::EnableCodes, _) => "Enable",
            (Change::MoreCodes { .. }, _) => "CreateMore",
            (Change::Switch { .. }, _) => "SetPurposes",
            (Change::Disable { .. }, Factor::App) => "Disable",
            (Change::Disable { .. }, Factor::Codes) => "Disable codes",
        },
        Request::Finish { .. } => "Finish",
        Request::Begin { .. } => "BeginEnable",
        Request::Create { .. } => "Create",
        Request::Submit { .. } => "SubmitProof",
        Request::Redeem { .. } => "Redeem",
        Request::Cancel { .. } => "Cancel",
        Request::Unlock | Request::OperatorDisable { .. } | Request::ResetPin => "operator",
    }
    .to_owned();
    if let Request::Settings(settings) = request
        && matches!(settings.by, By::Confirmation { .. })
    {
        asked.push_str(" by confirmation");
    }
    let answered = match answer {
        Answer::Refused { reason, .. } => reason.clone(),
        Answer::Reserved { .. } => "LAST_CODE_RESERVED".to_owned(),
        Answer::Done => "done".to_owned(),
        Answer::Rejected => "rejected".to_owned(),
        Answer::Begun { .. } => "begun".to_owned(),
        Answer::Listed { .. } => "list".to_owned(),
        Answer::NotRequired => "NOT_REQUIRED".to_owned(),
        Answer::EnrolmentRequired { .. } => "ENROLMENT_REQUIRED".to_owned(),
        Answer::Denied { retry_at: Some(_) } => "denied for a time".to_owned(),
        Answer::Denied { retry_at: None } => "denied".to_owned(),
        Answer::Opened(_) => "opened".to_owned(),
        Answer::Submitted { accepted, after } => {
            let verdict = if *accepted { "accepted" } else { "rejected" };
            format!("{verdict}, {:?}", after.state)
        }
        Answer::Now(view) => format!("{:?}", view.state),
    };
    format!("{asked}: {answered}")
}
