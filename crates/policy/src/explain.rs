//! What a policy says, in plain English.

use countersign_security_identifiers::Kind;

use crate::{
    Policy,
    policy::{Asked, Matched, Names, Rule, SettingsRule, WhenNone, WhenOff},
    words::joined,
};

impl Policy {
    /// A sentence for each rule, one about what no rule matches, and one about settings changes
    /// where no rule is about them.
    pub fn explain(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.rules.iter().map(Rule::explained).collect();
        if self.rules.len() > 1 {
            let order = "the first rule that matches an operation decides about it; what the others \
                         say of it does not count";
            sentences.push(order.to_owned());
        }
        sentences.push(self.unmatched());
        if self.settings_rules.is_empty() {
            sentences.push(
                "a settings change takes what the platform itself asks for, and nothing more"
                    .to_owned(),
            );
        }
        let settings = self.settings_rules.iter().map(SettingsRule::explained);
        sentences.extend(settings);
        for sentence in &mut sentences {
            sentence.push('.');
        }
        sentences
    }

    fn unmatched(&self) -> String {
        let is_whole = |operation: &Matched| {
            self.rules.iter().any(|rule| {
                rule.operations.contains(operation)
                    && rule.callers == Names::Any
                    && rule.payment_methods == Names::Any
            })
        };
        let rest: Vec<&str> = [
            (Matched::Login, "a login"),
            (Matched::Withdrawal, "a withdrawal"),
            (Matched::Custom, "a custom operation"),
        ]
        .iter()
        .filter(|(operation, _)| !is_whole(operation))
        .map(|(_, said)| *said)
        .collect();
        if rest.is_empty() {
            "every login, withdrawal and custom operation has a rule".to_owned()
        } else {
            format!("{} that no rule matches is refused", joined(&rest, "or"))
        }
    }
}

impl Rule {
    fn explained(&self) -> String {
        let on_for = format!(" that is switched on for {}", self.on_for());
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|asked| match asked {
                Asked::Pin => asked.said(),
                Asked::CodeOf(_) => asked.said() + &on_for,
            })
            .collect();
        let codes = self.stages.iter().filter(|asked| **asked != Asked::Pin);
        let without_codes = match codes.count() {
            0 => String::new(),
            1 => format!("; {}", self.without_codes()),
            _ => format!("; for each of these codes, {}", self.without_codes()),
        };
        let may_be_empty = self.when_off == WhenOff::Allow || self.when_none == WhenNone::Allow;
        let has_pin = self.stages.contains(&Asked::Pin);
        let without_all = if self.stages.len() > 1 && !has_pin && may_be_empty {
            "; where all are left out, it goes on without a proof"
        } else {
            ""
        };
        let without_pin = match self.when_none {
            _ if !self.stages.contains(&Asked::Pin) => "",
            WhenNone::Allow | WhenNone::Enrol => "; where no PIN is set, one has to be set first",
            WhenNone::Refuse => "; where no PIN is set, it is refused",
        };
        format!(
            "{}: {} takes {}{without_codes}{without_all}{without_pin}",
            self.name,
            self.subject(),
            stages.join(", then ")
        )
    }

    /// The operations, by whom, and how.
    fn subject(&self) -> String {
        let operations: Vec<String> = self.operations.iter().map(Matched::said).collect();
        let (operations, by) = (joined(&operations, "or"), asked_by(&self.callers));
        let Names::Only(methods) = &self.payment_methods else {
            return format!("{operations} {by}");
        };
        let named = methods.iter().filter(|method| !method.is_empty());
        let named: Vec<String> = named.map(|method| format!("{method:?}")).collect();
        let mut ways = Vec::new();
        if !named.is_empty() {
            ways.push(format!("by the payment method {}", joined(&named, "or")));
        }
        if named.len() < methods.len() {
            ways.push("without a payment method".to_owned());
        }
        format!("{operations} {by}, {},", joined(&ways, "or"))
    }

    fn on_for(&self) -> &'static str {
        let mut purposes = self.operations.iter().map(Matched::purpose);
        let first = purposes.next();
        match first {
            Some(first) if purposes.all(|purpose| purpose == first) => first.name(),
            _ => "the purpose of the operation",
        }
    }

    /// What becomes of stages without an identifier that is switched on.
    fn without_codes(&self) -> String {
        let goes_on = match self.stages.len() {
            1 => "it goes on without a proof",
            _ => "it goes on without that code",
        };
        let off = match self.when_off {
            WhenOff::Allow => goes_on,
            WhenOff::Refuse => "it is refused",
            WhenOff::Use => "any of them that is enrolled serves",
        };
        let none = match self.when_none {
            WhenNone::Allow => goes_on,
            WhenNone::Refuse => "it is refused",
            WhenNone::Enrol => "one has to be enrolled first",
        };
        if off == none {
            format!("where none is switched on or none is enrolled, {off}")
        } else {
            format!("where none is switched on, {off}; where none is enrolled, {none}")
        }
    }
}

impl SettingsRule {
    fn explained(&self) -> String {
        let stages: Vec<String> = self.stages.iter().map(Asked::said).collect();
        format!(
            "{}: a settings change {} takes, beside what the platform itself asks for, {}; what is \
             enrolled serves, on or off, and what is not enrolled is not asked for",
            self.name,
            asked_by(&self.callers),
            joined(&stages, "and")
        )
    }
}

impl Matched {
    fn said(&self) -> String {
        match self {
            Self::Login => "a login".to_owned(),
            Self::Withdrawal => "a withdrawal".to_owned(),
            Self::Custom => "a custom operation".to_owned(),
            Self::CustomOf(kind) => format!("a custom operation of the kind {kind:?}"),
        }
    }
}

impl Asked {
    fn said(&self) -> String {
        let said = |kind: &Kind| match kind {
            Kind::Totp => "of an authenticator app",
            Kind::Sms => "sent by SMS",
            Kind::BackupCodes => "of a set of backup codes",
        };
        match self {
            Self::Pin => "the PIN".to_owned(),
            Self::CodeOf(kinds) if kinds.len() == Kind::ALL.len() => {
                "a code of any identifier".to_owned()
            }
            Self::CodeOf(kinds) => {
                let kinds: Vec<&str> = kinds.iter().map(said).collect();
                format!("a code {}", joined(&kinds, "or"))
            }
        }
    }
}

fn asked_by(callers: &Names) -> String {
    match callers {
        Names::Any => "by any caller".to_owned(),
        Names::Only(callers) => {
            let callers: Vec<String> = callers.iter().map(|caller| format!("{caller:?}")).collect();
            format!("asked for by {}", joined(&callers, "or"))
        }
    }
}

#[cfg(test)]
mod tests;
