//! What an option is: a line of the table, and the macro that writes tables.
//!
//! `options!` declares a section once and derives from it the typed struct, its defaults and the
//! table lines that the parser, the reload and the reference page walk.

use toml::de::DeValue;

pub use super::value::{Problem, Spec, Value};

/// Whether a reload applies a changed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Applied while running.
    Applied,
    /// Needs a restart; a reload says so.
    Restart,
}

/// Where the option's name and meaning come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Mosquitto has an option of this name and meaning.
    Mosquitto,
    /// Pondhawk's own.
    Pondhawk,
}

/// One option of a `T`: [`super::Config`] for a global one, [`super::table::Listener`] for one
/// of a listener.
pub struct Opt<T> {
    /// The TOML key.
    pub name: &'static str,
    /// Help: sentences about what it does.
    pub about: &'static str,
    /// Allowed values, unit and what special values mean.
    pub spec: Spec,
    /// Whether a reload applies it.
    pub reload: Reload,
    /// Mosquitto's or our own.
    pub origin: Origin,
    /// The command line flag that overrides it, as typed.
    pub flag: Option<&'static str>,
    /// Says what values are allowed: "an integer from 0 to 2".
    pub allowed: fn(&Spec) -> String,
    /// Checks a TOML value and stores it.
    pub set: fn(&mut T, &DeValue<'_>, &Spec) -> Result<(), Problem>,
    /// Checks what follows the name on a line of Mosquitto's format and stores it.
    pub set_line: fn(&mut T, &str, &Spec) -> Result<(), Problem>,
    /// Whether it is a text, of which Mosquitto takes a second line for a mistake.
    pub is_text: bool,
    /// The value in TOML; `None` when it is unset.
    pub show: fn(&T) -> Option<String>,
    /// Copies the value from the second to the first.
    pub copy: fn(&mut T, &T),
}

impl<T> Opt<T> {
    /// Whether both hold the same value.
    pub fn same(&self, one: &T, other: &T) -> bool {
        (self.show)(one) == (self.show)(other)
    }
}

/// Declares a section of options; see `table/queues.rs` for one to copy.
///
/// Each option is `name: type = default, spec, reload, origin;` under its help, and may end in
/// `, flag "--name"`. A struct that holds other sections names them in `with { field: Section }`.
macro_rules! options {
    (
        $(#[doc = $doc:literal])+
        struct $section:ident ($root:ident: $whole:ty => $place:expr)
            $(with { $($(#[doc = $held_about:literal])+ $held:ident: $held_type:ty,)+ })?;
        $(
            $(#[doc = $about:literal])+
            $name:ident: $type:ty = $default:expr, $spec:expr, $reload:ident, $origin:ident
                $(, flag $flag:literal)?;
        )+
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $section {
            $($(#[doc = $about])+ pub $name: $type,)+
            $($($(#[doc = $held_about])+ pub $held: $held_type,)+)?
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($name: $default,)+ $($($held: Default::default(),)+)? }
            }
        }

        impl $section {
            /// The table lines of this section.
            pub const OPTIONS: &'static [$crate::config::options::Opt<$whole>] = &[$(
                $crate::config::options::Opt {
                    name: stringify!($name),
                    about: concat!($($about),+),
                    spec: $spec,
                    reload: $crate::config::options::Reload::$reload,
                    origin: $crate::config::options::Origin::$origin,
                    flag: options!(@flag $($flag)?),
                    allowed: <$type as $crate::config::options::Value>::allowed,
                    set: |$root, raw, spec| {
                        $place.$name = $crate::config::options::Value::read(raw, spec)?;
                        Ok(())
                    },
                    set_line: |$root, rest, spec| {
                        $place.$name = $crate::config::options::Value::read_line(rest, spec)?;
                        Ok(())
                    },
                    is_text: <$type as $crate::config::options::Value>::TEXT,
                    show: |$root| $crate::config::options::Value::show(&$place.$name),
                    copy: |$root, other| {
                        let value = { let $root = other; $place.$name.clone() };
                        $place.$name = value;
                    },
                }
            ),+];
        }
    };
    (@flag) => { None };
    (@flag $flag:literal) => { Some($flag) };
}
pub(super) use options;
