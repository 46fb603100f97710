//! What a request asks for, as the log and the metrics call it.

use crate::MethodRow;

/// The methods of gRPC's own services that are offered.
const STANDARD: [&str; 3] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// Methods whose answer is a stream, which is not over when it begins.
const STREAMS: [&str; 3] = [
    "/countersign.v1.EventService/Watch",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// The longest path of no method that is logged, in bytes.
const LONGEST_PATH: usize = 128;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A method of ours.
    Ours(&'static MethodRow),
    /// A method of gRPC's own services, by its path.
    Standard(&'static str),
    /// Nothing that there is: the path, or the beginning of a long one.
    Unknown(String),
}

impl Target {
    /// What is at this path.
    pub(crate) fn at(path: &str) -> Self {
        if let Some(row) = MethodRow::at(path) {
            return Self::Ours(row);
        }
        match STANDARD.into_iter().find(|known| *known == path) {
            Some(known) => Self::Standard(known),
            None => Self::Unknown(path[..path.floor_char_boundary(LONGEST_PATH)].to_owned()),
        }
    }

    /// Its path, where there is such a method: one of a few, whatever callers ask for.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Ours(row) => row.path,
            Self::Standard(path) => path,
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether its answer goes on after it has begun.
    pub(crate) fn is_stream(&self) -> bool {
        STREAMS.contains(&self.path())
    }
}

#[cfg(test)]
mod tests {
    use countersign_proto::FILE_DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn only_what_there_is_is_called_by_its_name() {
        let set = Target::at("/countersign.v1.PinService/Set");
        assert_eq!(set.path(), "/countersign.v1.PinService/Set");
        let check = Target::at("/grpc.health.v1.Health/Check");
        assert_eq!(check, Target::Standard("/grpc.health.v1.Health/Check"));
        let guess = Target::at("/countersign.v1.PinService/Guess");
        assert_eq!(guess.path(), "unknown");
        let long = format!("/{}", "\u{e9}".repeat(LONGEST_PATH));
        let Target::Unknown(path) = Target::at(&long) else {
            panic!("it is known");
        };
        assert_eq!(path.len(), LONGEST_PATH - 1);
    }

    #[test]
    fn every_stream_of_ours_is_known_as_one() {
        for described in [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
            let described = FileDescriptorSet::decode(described).unwrap();
            for file in &described.file {
                for service in &file.service {
                    for method in &service.method {
                        let (of, name) = (service.name(), method.name());
                        let path = format!("/{}.{of}/{name}", file.package());
                        let is_stream = method.server_streaming();
                        assert_eq!(STREAMS.contains(&path.as_str()), is_stream, "{path}");
                    }
                }
            }
        }
    }
}
