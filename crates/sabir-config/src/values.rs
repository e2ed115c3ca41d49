//! Words, numbers, and several of them.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use crate::field::{Kind, Leaf, Setting};
use crate::node::{Node, Value};
use crate::scope::Scope;

/// Reads a leaf from its text.
pub(crate) fn read_leaf<T>(
    node: Option<&Node>,
    scope: &mut Scope<'_>,
    leaf: &Leaf,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let node = node?;
    let read = node.text().and_then(read);
    if read.is_none() {
        scope.expected(node, leaf.name, leaf.example);
    }
    read
}

/// Declares how a type is read from a word or number.
macro_rules! leaf {
    ($Type:ty, $name:literal, $example:literal, $pattern:literal, number: $number:literal, $read:expr) => {
        impl $crate::field::Setting for $Type {
            const KIND: $crate::field::Kind = $crate::field::Kind::Leaf(&$crate::field::Leaf {
                name: $name,
                example: $example,
                pattern: $pattern,
                number: $number,
                secret: false,
            });

            fn read(node: Option<&$crate::node::Node>, scope: &mut $crate::scope::Scope<'_>) -> Option<Self> {
                let $crate::field::Kind::Leaf(kind) = Self::KIND else { return None };
                $crate::values::read_leaf(node, scope, kind, $read)
            }
        }
    };
}
pub(crate) use leaf;

leaf!(u64, "a whole number", "1000", "^[0-9_]+$", number: true, |text| digits(text)?.parse().ok());
leaf!(u32, "a whole number", "10", "^[0-9_]+$", number: true, |text| digits(text)?.parse().ok());
leaf!(NonZeroU64, "a whole number from 1", "60", "^[0-9_]+$", number: true, |text| digits(text)?.parse().ok());
leaf!(NonZeroU32, "a whole number from 1", "3", "^[0-9_]+$", number: true, |text| digits(text)?.parse().ok());
leaf!(f64, "a number", "2.0", "^[0-9]+([.][0-9]+)?$", number: true, decimal);

/// The digits of a number, which may be in groups: `100_000`.
fn digits(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    (!plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit())).then_some(plain)
}

/// A number with or without a point; no sign, no exponent.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

impl Setting for bool {
    const KIND: Kind = Kind::YesOrNo;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let node = node?;
        let read = node.text().and_then(|text| text.parse().ok());
        if read.is_none() {
            scope.expected(node, "true or false", "");
        }
        read
    }
}

const TEXT: Leaf = Leaf { name: "text", example: "", pattern: "", number: false, secret: false };

impl Setting for String {
    const KIND: Kind = Kind::Leaf(&TEXT);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let node = node?;
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => {
                scope.fault(&node.source, "is empty; take it out or say something");
            }
            Value::Text(text) | Value::Number(text) => return Some(text.clone()),
            _ => scope.expected(node, TEXT.name, ""),
        }
        None
    }
}

const PATH: Leaf = Leaf { name: "a path", example: "", pattern: "", number: false, secret: false };

impl Setting for PathBuf {
    const KIND: Kind = Kind::Leaf(&PATH);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        read_leaf(node, scope, &PATH, |text| Some(text).filter(|text| !text.is_empty()).map(Self::from))
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
    const NESTED: bool = T::NESTED;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        // What was set to nothing by `${VARIABLE:-}` is as if it had not been set.
        let nothing = matches!(node.map(|node| &node.value), Some(Value::Text(text)) if text.is_empty());
        if nothing || (node.is_none() && !(T::NESTED && scope.said_explicitly())) {
            return Some(None);
        }
        T::read(node, scope).map(Some)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    const NESTED: bool = true;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let Some(node) = node else { return Some(Self::new()) };
        let Value::List(items) = &node.value else {
            scope.expected(node, "a list", "[…]");
            return None;
        };
        // All are read before one that is wrong ends it.
        let read: Vec<Option<T>> =
            items.iter().enumerate().map(|(at, item)| scope.inner(&format!("[{at}]"), Some(item))).collect();
        // What is wrong was told; the others are read on, to be held against the rest.
        Some(read.into_iter().flatten().collect())
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    const KIND: Kind = Kind::Map(&T::KIND);
    const NESTED: bool = true;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let Some(node) = node else { return Some(Self::new()) };
        let Some(entries) = node.table() else {
            scope.expected(node, "names with values", "");
            return None;
        };
        let read: Vec<Option<(String, T)>> =
            entries.iter().map(|(key, item)| Some((key.name.clone(), scope.inner(&key.name, Some(item))?))).collect();
        Some(read.into_iter().flatten().collect())
    }
}

/// Sections by their names, written as a table of them or as a list in which each has its `name`.
#[derive(Clone, Debug, Default)]
pub struct Named<T>(pub BTreeMap<String, T>);

impl<T> std::ops::Deref for Named<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Setting> Setting for Named<T> {
    const KIND: Kind = Kind::Named(&T::KIND);
    const NESTED: bool = true;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let Some(Node { value: Value::List(items), .. }) = node else {
            let mut read = BTreeMap::read(node, scope)?;
            for name in scope.named_explicitly() {
                if !read.contains_key(&name) {
                    read.extend(scope.inner(&name, None).map(|section| (name, section)));
                }
            }
            return Some(Self(read));
        };
        let mut read = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            let name = item.table().and_then(|entries| entries.iter().find(|(key, _)| key.name == "name"));
            let Some(name) = name.and_then(|(_, name)| name.text()) else {
                scope.fault(&item.source, format!("number {} of the list has no `name`", at + 1));
                continue;
            };
            if let Some(section) = scope.inner(name, Some(item))
                && read.insert(name.to_owned(), section).is_some()
            {
                scope.fault(&item.source, format!("{name:?} is there twice; keep one of them"));
            }
        }
        Some(Self(read))
    }
}
