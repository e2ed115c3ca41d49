//! What the examples share: a client of the simulator, so that they run without a key.

use sabir::{Client, Result};
use sabir_sim::Simulator;

/// The model that the examples ask.
pub const MODEL: &str = "sim/simulated";

/// A client whose model is simulated. In your program: `Client::new("openai/gpt-6-luna")`.
///
/// # Errors
/// Never, with these settings.
pub fn client() -> Result<Client> {
    Client::builder().service("sim", Simulator::new()).model(MODEL).build()
}
