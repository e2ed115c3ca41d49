//! One configuration for the library, the gateway and the command.
//!
//! Files in TOML, YAML or JSON, variables of the environment and what a program says are read into one [`Config`], field
//! by field: explicit over environment over file over default. All that is wrong is told at once, with file, line and
//! field. What there is to say is declared once, in the sections ([`Settings::SECTION`]): by that a file is read, faults
//! and near misses are told, the JSON Schema ([`schema`]) is made and the page of all fields is written.
//!
//! ```
//! use sabir_config::{Format, Loader};
//! let wrong = "retyr:\n  max_attempts: 5\ntimeout: 30\n";
//! let faults = Loader::new().text("sabir.yaml", wrong, Format::Yaml).load().unwrap_err();
//! assert_eq!(faults.to_string(), "\
//! sabir.yaml:1: retyr: is not known; did you mean `retry`?
//! sabir.yaml:3: timeout: must be a duration with its unit like 30s, 500ms, 1m30s or 24h, not 30");
//! ```
//!
//! It holds data and reads files; clients are made of it by `sabir::Client::from_config`.

mod contradictions;
mod expand;
mod fault;
pub mod field;
mod keys;
mod load;
mod node;
mod places;
mod program;
mod schema;
mod scope;
mod secret;
mod sections;
mod show;
mod state;
mod template;
mod text;
mod units;
mod values;

pub use fault::{Fault, Faults};
pub use keys::KeyFile;
pub use load::{Config, Format, Loader};
pub use node::Source;
pub use program::{Group, McpProgram};
pub use schema::schema;
pub use secret::SecretRef;
pub use sections::*;
pub use show::Shown;
pub use template::template;
pub use units::{Money, Share, Size};
pub use values::Named;
