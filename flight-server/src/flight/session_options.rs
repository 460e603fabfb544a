//! SetSessionOptions, GetSessionOptions, CloseSession: a session's schema and settings by name.
//!
//! `catalog` and `schema` are where names without them are looked up; every other option is a setting as in SQL's SET.
//! What cannot be set is reported option by option, and the others are set.
//! The messages are those of Flight's protocol, which the crate does not have.

use std::collections::HashMap;

use catalog::CATALOG;
use coordinator::{QueryError, Session};

const DEFAULT_SCHEMA: &str = "datafusion.catalog.default_schema";

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SetRequest {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetResult {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CloseResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OptionError {
    #[prost(enumeration = "Refusal", tag = "1")]
    value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Refusal {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

/// Sets what can be set, and says what cannot.
pub(super) fn set(session: &Session, request: SetRequest) -> SetResult {
    let mut errors = HashMap::new();
    for (name, value) in request.options {
        if let Err(refusal) = set_one(session, &name, value.value) {
            let value = refusal as i32;
            errors.insert(name, OptionError { value });
        }
    }
    SetResult { errors }
}

fn set_one(session: &Session, name: &str, value: Option<Value>) -> Result<(), Refusal> {
    // A value that is not there takes the option back to its default.
    let text = match value {
        None => None,
        Some(Value::Text(text)) => Some(text),
        Some(Value::Flag(flag)) => Some(flag.to_string()),
        Some(Value::Integer(integer)) => Some(integer.to_string()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Texts(_)) => return Err(Refusal::InvalidValue),
    };
    match name {
        "catalog" => match text.as_deref() {
            None | Some(CATALOG) => Ok(()),
            Some(_) => Err(Refusal::InvalidValue),
        },
        "schema" => {
            if text
                .as_ref()
                .is_some_and(|name| !session.schemas().contains(name))
            {
                return Err(Refusal::InvalidValue);
            }
            apply(session, DEFAULT_SCHEMA, text.as_deref())
        }
        _ if session.options().iter().any(|(known, _)| known == name) => {
            apply(session, name, text.as_deref())
        }
        _ => Err(Refusal::InvalidName),
    }
}

fn apply(session: &Session, name: &str, value: Option<&str>) -> Result<(), Refusal> {
    session.set(name, value).map_err(|error| match error {
        QueryError::Setting { .. } => Refusal::InvalidValue,
        _ => Refusal::Error,
    })
}

/// All options with their values.
pub(super) fn get(session: &Session) -> GetResult {
    let text = |text: String| OptionValue {
        value: Some(Value::Text(text)),
    };
    let mut options: HashMap<String, OptionValue> = session
        .options()
        .into_iter()
        .map(|(name, value)| match value {
            Some(value) => (name, text(value)),
            None => (name, OptionValue { value: None }),
        })
        .collect();
    options.insert("catalog".into(), text(CATALOG.into()));
    options.insert("schema".into(), text(session.schema()));
    GetResult { options }
}

pub(super) fn closed() -> CloseResult {
    CloseResult {
        status: CloseStatus::Closed as i32,
    }
}
