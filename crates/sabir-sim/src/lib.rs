//! Simulated language-model providers, for tests, first steps and demonstrations. No model runs here, and every
//! answer says so.
//!
//! * [`Simulator`] is a [`Service`](sabir_core::Service): the built-in [`model`] answers, or a [`Script`] does.
//! * [`Loopback`] is a [`Transport`](sabir_core::Transport) without a socket: a client above it speaks to the
//!   simulator in any dialect, byte for byte as over a network.
//! * [`Server`] is the same over real HTTP, for any SDK in any language.
//!
//! There is not a line of wire code here: dialects accept and answer by the very code with which a gateway would.
//! What a dialect cannot go wrong in by itself, a [`Fault`] makes go wrong: cuts at any byte, resets, garbage, slow
//! heads, stalls, foreign pages.
//!
//! Which fake for which test: a layer or a client's logic, `Simulator` as a service; decoding, faults and time limits
//! on a paused clock, `Loopback`; sockets, pools and foreign SDKs, `Server`.
//!
//! ```
//! use sabir_core::chat::ChatRequest;
//! use sabir_core::{Call, Request, Service};
//! use sabir_sim::{Answer, Failure, Script, Simulator, Turn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let script = Script::new()
//!     .turn(Turn::error(Failure::new(429, "slow down").retry_after_secs(2.0)))
//!     .turn(Turn::answer(Answer::text("Hello.").tool_call("get_time", serde_json::json!({"zone": "UTC"}))));
//! let simulator = Simulator::scripted(script);
//! let request = Request::Chat(ChatRequest::new("any-model").user("Hi"));
//!
//! let error = simulator.call(&Call::default(), &request).await.unwrap_err();
//! assert_eq!(error.retry_after().unwrap().as_secs(), 2);
//! let answer = simulator.call(&Call::default(), &request).await?.whole()?;
//! assert_eq!((answer.text().as_str(), answer.tool_calls().count()), ("Hello.", 1));
//! // The script is played to its end: the built-in model takes over.
//! let answer = simulator.call(&Call::default(), &request).await?.whole()?;
//! assert!(answer.text().contains("simulator, not a language model"));
//! assert_eq!(simulator.served(), 3);
//! # Ok::<(), sabir_core::Error>(()) }).unwrap();
//! ```
//!
//! # Scripts as files
//!
//! `sabir sim --script FILE` and [`Script::from_json`] read this form. Each request takes the first turn that is not
//! used up and whose `when` fits. Times are in milliseconds, `retry_after` in seconds.
//!
//! ```
//! let script = sabir_sim::Script::from_json(r#"{
//!   "strict": false,
//!   "turns": [
//!     { "when": { "model": "gpt", "user_contains": "weather" }, "repeat": "forever",
//!       "answer": { "tool_calls": [{ "name": "get_weather", "arguments": { "city": "Oslo" } }] } },
//!     { "error": { "status": 429, "code": "rate_limit_exceeded", "message": "slow down", "retry_after": 1.5 } },
//!     { "answer": { "reasoning": "A greeting.", "text": "Hello there." },
//!       "delay_before_ms": 300, "delay_between_ms": 40, "chunking": { "chars": 3 } },
//!     { "answer": { "text": "Never heard to the end." }, "error": { "status": 529, "message": "overloaded" } },
//!     { "faults": [{ "kind": "slow_headers", "ms": 2000 }, { "kind": "cut_at", "bytes": 120 }], "repeat": 2 },
//!     { "faults": [{ "kind": "status", "status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html" }] }
//!   ]
//! }"#)?;
//! assert_eq!(script.turns.len(), 6);
//! # Ok::<(), sabir_core::Error>(())
//! ```

mod batches;
mod body;
mod counters;
mod exchange;
mod fault;
mod log;
mod loopback;
pub mod model;
mod play;
mod refuse;
mod repeats;
mod script;
mod server;
mod simulator;
mod vectors;

pub use fault::Fault;
pub use loopback::Loopback;
pub use script::{Answer, Chunking, Failure, Repeat, Script, ScriptedCall, Turn, When};
pub use server::Server;
pub use simulator::Simulator;
