//! Every method that there is, and what it can be asked about: the schema of the caller table.

/// A method, and what of its requests a row of the caller table can limit.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodRow {
    /// Its name: `ConfirmationService.Create`.
    pub name: &'static str,
    /// Its path on the wire.
    pub path: &'static str,
    /// What else than its name is looked at.
    pub limits: MethodLimits,
}

/// What a request is looked at for, beside its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodLimits {
    /// Nothing.
    None,
    /// The operation that it names, with its payment method and amount.
    Operation,
    /// The purposes that it switches on and off.
    Purposes,
}

macro_rules! methods {
    ($($service:ident { $($method:ident: $limits:ident),+ $(,)? })+) => {
        /// Every method of every service.
        pub const METHODS: &[MethodRow] = &[$($(MethodRow {
            name: concat!(stringify!($service), ".", stringify!($method)),
            path: concat!("/countersign.v1.", stringify!($service), "/", stringify!($method)),
            limits: MethodLimits::$limits,
        }),+),+];
    };
}

methods! {
    BackupCodeService {
        CreateMore: None,
        Disable: None,
        Enable: None,
        Finish: None,
        GetStatus: None,
    }
    ConfirmationService {
        Cancel: None,
        Create: Operation,
        Get: None,
        Redeem: Operation,
        SendCode: None,
        SubmitProof: None,
    }
    DevService {
        ListInbox: None,
    }
    EventService {
        Watch: None,
    }
    IdentifierService {
        Get: None,
        List: None,
        ListEvents: None,
        Rename: None,
        SetPurposes: Purposes,
    }
    PinService {
        Change: None,
        Set: None,
    }
    SmsService {
        BeginEnable: None,
        ConfirmEnable: Purposes,
        Disable: None,
    }
    TotpService {
        BeginEnable: None,
        ConfirmEnable: Purposes,
        Disable: None,
    }
}

impl MethodRow {
    /// The method at this path.
    pub fn at(path: &str) -> Option<&'static Self> {
        METHODS.iter().find(|row| row.path == path)
    }
}

#[cfg(test)]
mod tests {
    use countersign_proto::FILE_DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::{DescriptorProto, FileDescriptorSet};

    use super::*;

    /// What of a request a row can limit, by what it holds.
    fn limits_of(request: &DescriptorProto) -> MethodLimits {
        let holds = |name: &str| request.field.iter().any(|field| field.type_name() == name);
        if holds(".countersign.v1.Operation") {
            MethodLimits::Operation
        } else if holds(".countersign.v1.Purpose") {
            MethodLimits::Purposes
        } else {
            MethodLimits::None
        }
    }

    #[test]
    fn the_schema_names_every_method_of_the_wire_and_no_other() {
        let described = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let mut wire: Vec<String> = described
            .file
            .iter()
            .filter(|file| file.package() == "countersign.v1")
            .flat_map(|file| &file.service)
            .flat_map(|service| {
                let name = service.name();
                let methods = service.method.iter();
                methods.map(move |method| format!("/countersign.v1.{name}/{}", method.name()))
            })
            .collect();
        wire.sort();
        for row in METHODS {
            let limits = described
                .file
                .iter()
                .flat_map(|file| &file.message_type)
                .find(|message| message.name() == format!("{}Request", row.name.replace('.', "")))
                .map_or(MethodLimits::None, limits_of);
            assert_eq!(row.limits, limits, "{}", row.name);
        }
        let mut schema: Vec<&str> = METHODS.iter().map(|row| row.path).collect();
        schema.sort_unstable();
        assert_eq!(schema, wire);
    }
}
