//! Changes a request as a message, field by field: changes of its bytes alone hardly ever make
//! another request of them.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use rand::{Rng, RngExt as _, rngs::StdRng};

/// Texts that have once been trouble somewhere.
const TEXTS: [&str; 12] = [
    "",
    "a",
    "ä€💸",
    "\u{0}",
    "\u{202e}",
    "0",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "6b1d3a52-3f0e-4c5a-9d61-0a4a2f6c7e11",
    "{6B1D3A52-3F0E-4C5A-9D61-0A4A2F6C7E11}",
    "850374",
    "EUR",
];

/// Numbers at the ends of something.
const NUMBERS: [i64; 14] = [
    0,
    1,
    2,
    3,
    6,
    8,
    -1,
    100,
    999_999_999,
    1_000_000_000,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// Changes one field, somewhere.
pub(crate) fn mutate(message: &mut DynamicMessage, rng: &mut StdRng) {
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    let Some(field) = one_of(&fields, rng) else {
        return;
    };
    if rng.random_range(0..8) == 0 {
        return message.clear_field(field);
    }
    if field.is_map() {
        let entry = (MapKey::String(text(rng)), Value::String(text(rng)));
        if let Value::Map(map) = message.get_field_mut(field) {
            map.extend([entry]);
        }
        return;
    }
    if field.is_list() {
        if let Value::List(list) = message.get_field_mut(field) {
            change(list, field, rng);
        }
        return;
    }
    let is_set = message.has_field(field);
    match message.get_field_mut(field) {
        Value::Message(inner) if is_set => mutate(inner, rng),
        value => *value = any(field, rng),
    }
}

fn change(list: &mut Vec<Value>, field: &FieldDescriptor, rng: &mut StdRng) {
    let place = rng.random_range(0..=list.len());
    match (rng.random_range(0..4), list.get_mut(place)) {
        (0, Some(element)) => {
            let again = element.clone();
            list.push(again);
        }
        (1, Some(_)) => drop(list.remove(place)),
        (2, Some(Value::Message(inner))) => mutate(inner, rng),
        _ => list.push(any(field, rng)),
    }
}

fn any(field: &FieldDescriptor, rng: &mut StdRng) -> Value {
    let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
    match field.kind() {
        Kind::String => Value::String(text(rng)),
        Kind::Bytes => Value::Bytes(text(rng).into_bytes().into()),
        Kind::Bool => Value::Bool(rng.random()),
        Kind::Enum(_) => Value::EnumNumber(number as i32),
        Kind::Message(of) => {
            let mut inner = DynamicMessage::new(of);
            mutate(&mut inner, rng);
            Value::Message(inner)
        }
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number as u64),
        Kind::Float => Value::F32(number as f32),
        Kind::Double => Value::F64(number as f64),
    }
}

/// One of the texts, or several of them, or a long one.
fn text(rng: &mut StdRng) -> String {
    let mut text = TEXTS[rng.random_range(0..TEXTS.len())].to_owned();
    while rng.random_range(0..3) == 0 {
        text.push_str(TEXTS[rng.random_range(0..TEXTS.len())]);
    }
    if rng.random_range(0..8) == 0 {
        text = text.repeat(rng.random_range(1..100));
    }
    text
}

fn one_of<'a, T>(all: &'a [T], rng: &mut impl Rng) -> Option<&'a T> {
    (!all.is_empty()).then(|| &all[rng.random_range(0..all.len())])
}
