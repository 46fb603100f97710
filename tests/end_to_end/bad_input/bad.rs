//! What can be wrong with a field, by its type alone: so a new field is tried by itself.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};

/// A field somewhere in a request.
#[derive(Clone)]
pub(crate) struct Place {
    /// The fields from the outermost message to it; of a repeated one the first element is meant.
    chain: Vec<FieldDescriptor>,
    /// Its path, as violations name it.
    pub(crate) path: String,
    /// Its name in the table of what is free: the last message's name and its own.
    pub(crate) name: String,
    part: Part,
}

/// What of the field is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The field itself.
    Whole,
    /// The first element of a list.
    Element,
    /// The key of a map's only entry.
    Key,
    /// The value of it.
    Entry,
    /// Which field of a oneof is given.
    Choice,
}

/// Something that is wrong.
pub(crate) struct Bad {
    /// What.
    pub(crate) name: &'static str,
    /// Whether the message cannot even be read: then no field is named.
    pub(crate) is_unreadable: bool,
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// It is not there.
    Missing,
    /// It has another value.
    Value(Value),
    /// It has so many elements or entries.
    Count(usize),
    /// On the wire it is followed by this, which takes its place.
    Wire(Vec<u8>),
}

/// Every place of a message, however deep.
pub(crate) fn places(message: &DynamicMessage) -> Vec<Place> {
    let mut all = Vec::new();
    collect(message, &[], "", &mut all);
    all
}

fn collect(message: &DynamicMessage, above: &[FieldDescriptor], path: &str, all: &mut Vec<Place>) {
    let of = message.descriptor();
    for field in of.fields() {
        let oneof = field.containing_oneof();
        if oneof.is_some() && !message.has_field(&field) {
            continue;
        }
        let chain = [above, std::slice::from_ref(&field)].concat();
        let place = |part, path: String, name: &str| Place {
            chain: chain.clone(),
            path,
            name: format!("{}.{name}", of.name()),
            part,
        };
        if let Some(oneof) = &oneof {
            all.push(place(Part::Choice, path.to_owned(), oneof.name()));
        }
        let path = match path {
            "" => field.name().to_owned(),
            path => format!("{path}.{}", field.name()),
        };
        all.push(place(Part::Whole, path.clone(), field.name()));
        let value = message.get_field(&field);
        match &*value {
            Value::Map(_) => {
                let part = |part| format!("{}.{part}", field.name());
                all.push(place(Part::Key, format!("{path}[0].key"), &part("key")));
                all.push(place(
                    Part::Entry,
                    format!("{path}[0].value"),
                    &part("value"),
                ));
            }
            Value::Message(inner) => collect(inner, &chain, &path, all),
            Value::List(list) => match list.first() {
                Some(Value::Message(inner)) => collect(inner, &chain, &format!("{path}[0]"), all),
                _ => all.push(place(Part::Element, format!("{path}[0]"), field.name())),
            },
            _ => {}
        }
    }
}

impl Place {
    /// Everything that can be wrong here.
    pub(crate) fn bads(&self) -> Vec<Bad> {
        let bad = |name, form: Form| Bad {
            name,
            is_unreadable: matches!(form, Form::Wire(_)),
            form,
        };
        let field = self.field();
        let mut bads = match self.part {
            Part::Choice => return vec![bad("no choice", Form::Missing)],
            Part::Whole if field.is_list() || field.is_map() => vec![
                bad("none", Form::Missing),
                bad("too many", Form::Count(100)),
            ],
            Part::Whole | Part::Element => values(&field.kind()),
            Part::Key | Part::Entry => values(&Kind::String),
        };
        let is_single_message =
            matches!(field.kind(), Kind::Message(_)) && !field.is_list() && !field.is_map();
        let is_missing_meant = self.part == Part::Whole && field.containing_oneof().is_none();
        if is_missing_meant && is_single_message {
            bads.push(bad("missing", Form::Missing));
        }
        bads.push(bad("wrong wire type", Form::Wire(self.wire(5, &[0; 4]))));
        let is_text = match self.part {
            Part::Key | Part::Entry => true,
            Part::Whole | Part::Element | Part::Choice => field.kind() == Kind::String,
        };
        if is_text {
            bads.push(bad(
                "no UTF-8",
                Form::Wire(self.wire(2, b"\x03\xC3\x28\xFF")),
            ));
        }
        bads
    }

    /// Whether nothing inside it is a place of its own.
    pub(crate) fn is_leaf(&self) -> bool {
        let is_message = matches!(self.field().kind(), Kind::Message(_));
        match self.part {
            Part::Choice => false,
            Part::Whole => !is_message && !self.field().is_list(),
            Part::Element | Part::Key | Part::Entry => true,
        }
    }

    fn field(&self) -> &FieldDescriptor {
        &self.chain[self.chain.len() - 1]
    }

    /// The whole request again with this field only, as this wire type with these bytes. Readers
    /// merge the two.
    fn wire(&self, wire_type: u32, bytes: &[u8]) -> Vec<u8> {
        let mut numbers: Vec<u32> = self.chain.iter().map(FieldDescriptor::number).collect();
        match self.part {
            Part::Key => numbers.push(1),
            Part::Entry => numbers.push(2),
            Part::Whole | Part::Element | Part::Choice => {}
        }
        let last = numbers.pop().unwrap_or_default();
        let mut encoded = vec![tag(last, wire_type)];
        encoded.extend(bytes);
        for number in numbers.into_iter().rev() {
            let length = u8::try_from(encoded.len()).unwrap_or(u8::MAX);
            encoded.splice(0..0, [tag(number, 2), length]);
        }
        encoded
    }

    /// Makes the message bad here, and returns what is to follow it on the wire.
    pub(crate) fn spoil(&self, message: &mut DynamicMessage, bad: &Bad) -> Vec<u8> {
        if let Form::Wire(suffix) = &bad.form {
            return suffix.clone();
        }
        spoil(message, &self.chain, self.part, &bad.form);
        Vec::new()
    }
}

/// A tag: every field number here is less than 16.
fn tag(number: u32, wire_type: u32) -> u8 {
    u8::try_from(number << 3 | wire_type).unwrap_or(u8::MAX)
}

fn spoil(message: &mut DynamicMessage, chain: &[FieldDescriptor], part: Part, form: &Form) {
    let (field, below) = (&chain[0], &chain[1..]);
    if !below.is_empty() {
        let inner = match message.get_field_mut(field) {
            Value::Message(inner) => inner,
            Value::List(list) => match &mut list[0] {
                Value::Message(inner) => inner,
                _ => return,
            },
            _ => return,
        };
        return spoil(inner, below, part, form);
    }
    match (part, form) {
        (_, Form::Missing) => message.clear_field(field),
        (Part::Element, Form::Value(value)) => {
            message.set_field(field, Value::List(vec![value.clone()]));
        }
        (Part::Key | Part::Entry, Form::Value(value)) => {
            let entry = match &*message.get_field(field) {
                Value::Map(map) => map
                    .iter()
                    .next()
                    .map(|(key, entry)| (key.clone(), entry.clone())),
                _ => None,
            };
            let Some((key, entry)) = entry else {
                return;
            };
            let pair = match (part, value) {
                (Part::Key, Value::String(key)) => (MapKey::String(key.clone()), entry),
                _ => (key, value.clone()),
            };
            message.set_field(field, Value::Map([pair].into()));
        }
        (_, Form::Value(value)) => message.set_field(field, value.clone()),
        (_, Form::Count(count)) => match message.get_field_mut(field) {
            Value::List(list) => list.resize(*count, list[0].clone()),
            Value::Map(map) => {
                let all = Value::String("all".to_owned());
                map.extend((0..*count).map(|key| (MapKey::String(key.to_string()), all.clone())));
            }
            _ => {}
        },
        (_, Form::Wire(_)) => {}
    }
}

/// Wrong values of a type.
fn values(kind: &Kind) -> Vec<Bad> {
    let bad = |(name, value)| Bad {
        name,
        is_unreadable: false,
        form: Form::Value(value),
    };
    let text = |text: &str| Value::String(text.to_owned());
    let numbers = |of: fn(i64) -> Value, least: i64, most: i64| {
        vec![
            ("zero", of(0)),
            ("negative", of(-1)),
            ("the least", of(least)),
            ("the most", of(most)),
        ]
    };
    let values = match kind {
        Kind::String => vec![
            ("empty", text("")),
            ("over-long", text(&"a".repeat(2000))),
            ("control characters", text("a\u{0}b\n\u{7f}\u{85}")),
        ],
        Kind::Bytes => vec![
            ("empty", Value::Bytes(Vec::new().into())),
            ("over-long", Value::Bytes(vec![b'a'; 2000].into())),
        ],
        Kind::Bool => vec![("set", Value::Bool(true))],
        Kind::Enum(_) => vec![
            ("unspecified", Value::EnumNumber(0)),
            ("unknown", Value::EnumNumber(4711)),
            ("negative", Value::EnumNumber(-1)),
        ],
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            let of = |number: i64| Value::I32(i32::try_from(number).unwrap_or_default());
            numbers(of, i32::MIN.into(), i32::MAX.into())
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => numbers(Value::I64, i64::MIN, i64::MAX),
        Kind::Uint32 | Kind::Fixed32 => {
            vec![("zero", Value::U32(0)), ("the most", Value::U32(u32::MAX))]
        }
        Kind::Uint64 | Kind::Fixed64 => {
            vec![("zero", Value::U64(0)), ("the most", Value::U64(u64::MAX))]
        }
        Kind::Float => vec![("no number", Value::F32(f32::NAN))],
        Kind::Double => vec![("no number", Value::F64(f64::NAN))],
        Kind::Message(_) => Vec::new(),
    };
    values.into_iter().map(bad).collect()
}
