//! The definitions of fields: one list, by which files are read, faults are told, the JSON Schema is made and the page is
//! written.

use crate::node::Node;
use crate::scope::Scope;

/// A field of a section.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence or more.
    pub about: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where nothing is said, as it would be written; `None` where that is nothing.
    pub default: Option<&'static str>,
    /// Other names that are read.
    pub also: &'static [&'static str],
    /// Variables of the environment that win over the file; the first that is set counts. A `*` stands for the
    /// provider's name: the variables are those of its row, or begin with its id in capitals.
    pub env: &'static [&'static str],
}

/// What a field takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`.
    YesOrNo,
    /// A word or a number.
    Leaf(&'static Leaf),
    /// One of these words.
    Choice(&'static [Choice]),
    /// Fields of its own.
    Section(&'static Section),
    /// Several of the same kind.
    List(&'static Kind),
    /// Several of the same kind, each under a name that is free.
    Map(&'static Kind),
    /// As a map, or as a list of sections with their `name` in them.
    Named(&'static Kind),
    /// A word that stands for the section's first field, or the section.
    Short(&'static Section),
    /// One of a kind, or several of them.
    OneOrMore(&'static Kind),
    /// Prices by model, in the form of `sabir_prices::Overlay`.
    Prices,
    /// Arguments of a tool by name, or a JSON Schema.
    Parameters,
}

/// A kind of word or number.
#[derive(Debug)]
#[non_exhaustive]
pub struct Leaf {
    /// What it is, for a person: `a duration`.
    pub name: &'static str,
    /// What it looks like: `30s, 1m30s`.
    pub example: &'static str,
    /// A regular expression for those who complete and check in an editor; empty where anything will do.
    pub pattern: &'static str,
    /// Whether it can be written as a number without quotes.
    pub number: bool,
    /// Whether it is to be shown to nobody.
    pub secret: bool,
}

/// A word that can be chosen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// Fields that belong together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Section {
    /// What they are for.
    pub about: &'static str,
    /// The fields, in order.
    pub fields: &'static [Field],
}

/// A type that can be read from a configuration.
pub(crate) trait Setting: Sized {
    /// What it takes.
    const KIND: Kind;
    /// Whether it has fields of its own, which may be said elsewhere (in the environment) though it is not there.
    const NESTED: bool = false;
    /// Whether it can do without a value.
    const OPTIONAL: bool = false;

    /// Reads it; `None`, and a fault told to the scope, where that cannot be.
    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self>;
}

/// Declares a section: a struct for programs, and the fields by which it is read and described.
macro_rules! section {
    ($(
        $(#[doc = $about:literal])+
        $Name:ident {$(
            $(#[doc = $doc:literal])+
            $field:ident: $Type:ty $(= $default:literal)? $(, also $($also:literal)|+)? $(, env $($env:literal)|+)?;
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct $Name {$(
            $(#[doc = $doc])+
            pub $field: $Type,
        )+}

        impl $Name {
            /// The definition of this section.
            pub const SECTION: &'static $crate::field::Section = &$crate::field::Section {
                about: concat!($($about),+),
                fields: &[$($crate::field::Field {
                    name: stringify!($field),
                    about: concat!($($doc),+),
                    kind: <$Type as $crate::field::Setting>::KIND,
                    default: $crate::field::first(&[$($default)?]),
                    also: &[$($($also),+)?],
                    env: &[$($($env),+)?],
                }),+],
            };
        }

        impl $crate::field::Setting for $Name {
            const KIND: $crate::field::Kind = $crate::field::Kind::Section(Self::SECTION);
            const NESTED: bool = true;

            fn read(node: Option<&$crate::node::Node>, scope: &mut $crate::scope::Scope<'_>) -> Option<Self> {
                let mut fields = scope.fields(node, Self::SECTION)?;
                // All are read before one that is wrong ends it, so that every fault is told.
                $(let $field = fields.read(stringify!($field));)+
                Some(Self { $($field: $field?),+ })
            }
        }
    )+};
}

/// Declares words that can be chosen: an enum for programs.
macro_rules! choice {
    ($(
        $(#[doc = $about:literal])+
        $Name:ident {$(
            $(#[doc = $doc:literal])+
            $Variant:ident = $word:literal;
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $Name {$(
            $(#[doc = $doc])+
            $Variant,
        )+}

        impl $crate::field::Setting for $Name {
            const KIND: $crate::field::Kind = $crate::field::Kind::Choice(&[
                $($crate::field::Choice { word: $word, about: concat!($($doc),+) }),+
            ]);

            fn read(node: Option<&$crate::node::Node>, scope: &mut $crate::scope::Scope<'_>) -> Option<Self> {
                let node = node?;
                match node.text() {
                    $(Some($word) => Some(Self::$Variant),)+
                    _ => {
                        scope.not_chosen(node, &[$($word),+]);
                        None
                    }
                }
            }
        }

        /// The word, as it is written in a file.
        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$Variant => $word),+ })
            }
        }
    )+};
}

pub(crate) use {choice, section};

/// The first of a list of none or one.
pub(crate) const fn first(list: &[&'static str]) -> Option<&'static str> {
    match list {
        [] => None,
        [first, ..] => Some(first),
    }
}
