//! Tools: functions of the program's that the model may call, and the loop that calls them.
//!
//! ```
//! use sabir::tools::Toolbox;
//! use serde_json::{Value, json};
//!
//! let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
//! let tools = Toolbox::new().function("weather", "The weather in a city", schema, |arguments: Value| async move {
//!     match arguments["city"].as_str() {
//!         Some("Valletta") => Ok("24 °C, a light breeze".to_owned()),
//!         _ => Err("that city is not known; only Valletta is"),
//!     }
//! });
//! # assert_eq!(tools.definitions().len(), 1);
//! ```
//!
//! [`Client::run`](crate::Client::run) then asks, calls, and asks again until the model has its answer.

mod run;
mod toolbox;

pub use run::{Ended, Run, RunDone, RunEvent};
pub use toolbox::{Approval, Output, Toolbox};
