//! A right request of every method, made from the descriptors. The fuzz target begins with them too.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    MethodDescriptor, Value,
};

/// A request that every rule of form is content with.
pub(crate) struct Baseline {
    /// The method.
    pub(crate) method: MethodDescriptor,
    /// The request.
    pub(crate) message: DynamicMessage,
}

/// The path of a method on the wire.
pub(crate) fn path(method: &MethodDescriptor) -> String {
    let service = method.parent_service().full_name();
    format!("/{service}/{}", method.name())
}

/// For every method as many requests as it takes to have each field and each choice in one of them.
pub(crate) fn baselines(pool: &DescriptorPool) -> Vec<Baseline> {
    let ours = pool
        .services()
        .filter(|service| service.full_name().starts_with("countersign.v1."));
    let methods = ours.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .flat_map(|method| {
            let messages = right(&method.input()).into_iter();
            messages.map(move |message| Baseline {
                method: method.clone(),
                message,
            })
        })
        .collect()
}

/// Right messages of a type: the first has the first choice of everything, and each other one
/// another choice.
pub(crate) fn right(of: &MessageDescriptor) -> Vec<DynamicMessage> {
    let mut first = DynamicMessage::new(of.clone());
    for field in of.fields() {
        let is_chosen = field.containing_oneof().is_none_or(|oneof| {
            let mut fields = oneof.fields();
            fields.next().is_some_and(|first| first == field)
        });
        if is_chosen {
            first.set_field(&field, values(&field).swap_remove(0));
        }
    }
    let mut all = vec![first.clone()];
    for field in of.fields() {
        let others = if first.has_field(&field) { 1 } else { 0 };
        for value in values(&field).into_iter().skip(others) {
            let mut other = first.clone();
            other.set_field(&field, value);
            all.push(other);
        }
    }
    all
}

/// Right values of a field.
fn values(field: &FieldDescriptor) -> Vec<Value> {
    if field.is_map() {
        let key = MapKey::String("scope".to_owned());
        return vec![Value::Map([(key, Value::String("all".to_owned()))].into())];
    }
    let values = match field.kind() {
        Kind::Message(of) => right(&of).into_iter().map(Value::Message).collect(),
        _ => vec![scalar(field)],
    };
    if field.is_list() {
        let list = values.into_iter();
        return list.map(|value| Value::List(vec![value])).collect();
    }
    values
}

/// A right value, by what the field is called.
fn scalar(field: &FieldDescriptor) -> Value {
    let text = match field.name() {
        "subject_id" => "anna",
        "device_id" => "phone",
        "currency_code" => "EUR",
        "new_pin" => "850374",
        "code" => "123456",
        "kind" => "api-key.create",
        "phone_number" => "+79123456789",
        "locale" => "ru",
        "word" => "апельсин",
        // A token is given by the server, and none is the first page.
        name if name.ends_with("_token") => "",
        name if name.ends_with("_id") => "6b1d3a52-3f0e-4c5a-9d61-0a4a2f6c7e11",
        // Letters of two, three and four bytes.
        _ => "ä€💸",
    };
    let number = match field.name() {
        "digits" => 6,
        "page_size" => 10,
        _ => 1,
    };
    match field.kind() {
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number.into()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number.unsigned_abs()),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number.unsigned_abs().into()),
        Kind::Float => Value::F32(1.0),
        Kind::Double => Value::F64(1.0),
        Kind::Bool => Value::Bool(false),
        // What is switched off must be another than what is switched on.
        Kind::Enum(_) => Value::EnumNumber(if field.name() == "switch_off" { 2 } else { 1 }),
        Kind::Message(of) => Value::Message(DynamicMessage::new(of)),
    }
}
