//! How many tokens a request is, before it is sent: exactly, or with a stated bound.
#[cfg(feature = "openai")]
mod encoding;
mod calibrated;
mod count;
mod counter;
mod dimensions;
mod features;
mod image;
mod media;
mod meter;
mod model;
mod request;
mod runs;
mod shape;
mod table;
mod text;

pub use count::{Count, Precision};
pub use counter::Counter;
#[cfg(feature = "openai")]
pub use encoding::Encoding;
pub use meter::Meter;
pub use model::ModelId;
pub use request::{calibration, count, count_text};
