//! The value of a session option: as it comes over the wire, and as options read it.
//!
//! Source: Flight.proto, `SessionOptionValue`.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "WireValue", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<WireValue>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum WireValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Number(i64),
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(message, tag = "5")]
    List(TextList),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TextList {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

/// The value of an option, as clients send it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Back to the default.
    Unset,
    Text(String),
    Flag(bool),
    Number(i64),
    /// No option is of such a type.
    Other,
}

impl Value {
    pub(super) fn is_unset(&self) -> bool {
        match self {
            Self::Unset => true,
            Self::Text(text) => text.is_empty(),
            Self::Flag(_) | Self::Number(_) | Self::Other => false,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Unset | Self::Flag(_) | Self::Other => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) => text.parse().ok(),
            Self::Unset | Self::Number(_) | Self::Other => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Unset | Self::Flag(_) | Self::Other => None,
        }
    }

    pub(super) fn of_wire(value: OptionValue) -> Self {
        match value.value {
            None => Self::Unset,
            Some(WireValue::Text(text)) => Self::Text(text),
            Some(WireValue::Flag(flag)) => Self::Flag(flag),
            Some(WireValue::Number(number)) => Self::Number(number),
            // ADBC has numbers of one kind only in some languages.
            Some(WireValue::Real(real)) if real.fract() == 0.0 && real.abs() < 1e15 => {
                Self::Text(format!("{real:.0}"))
            }
            Some(WireValue::Real(_) | WireValue::List(_)) => Self::Other,
        }
    }

    pub(super) fn into_wire(self) -> Option<OptionValue> {
        let value = match self {
            Self::Text(text) => WireValue::Text(text),
            Self::Flag(flag) => WireValue::Flag(flag),
            Self::Number(number) => WireValue::Number(number),
            Self::Unset | Self::Other => return None,
        };
        Some(OptionValue { value: Some(value) })
    }
}
