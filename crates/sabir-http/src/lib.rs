//! The only door to the network.
//!
//! [`HttpTransport`] carries requests over HTTP/1.1 and HTTP/2, plain or with TLS, straight or through a
//! proxy, from a pool of connections. Where an application has a client of its own, [`TowerTransport`]
//! makes a transport of any `tower` service; anything else can implement
//! [`Transport`](sabir_core::transport::Transport) itself.
//!
//! [`Recorder`] stands in front of any transport and writes each exchange, keys scrubbed, to a file;
//! [`Replay`] answers from such a file without a network.
//!
//! ```no_run
//! use sabir_core::transport::{Timeouts, Transport};
//! use std::time::Duration;
//!
//! # async fn example() -> sabir_core::Result<()> {
//! let http = sabir_http::HttpTransport::builder()
//!     .timeouts(Timeouts { first_byte: Some(Duration::from_secs(300)), ..Timeouts::default() })
//!     .build()?;
//! let request = http::Request::get("https://api.example.com/v1/models").body(bytes::Bytes::new()).expect("a valid request");
//! let response = http.send(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What it does not do: follow redirects (the 3xx is the answer), keep cookies, retry (a layer's work; only
//! a request that a dying pooled connection never took up is sent again on another), or read the operating system's
//! store of certificates.

mod body;
mod builder;
mod connect;
mod decode;
mod exchange;
mod failure;
#[cfg(feature = "listen")]
pub mod listen;
mod outgoing;
mod pools;
mod proxy;
mod record;
mod replay;
mod roots;
mod scrub;
mod timer;
mod tls;
mod tower;
mod transport;

pub use builder::HttpTransportBuilder;
pub use record::Recorder;
pub use replay::Replay;
pub use timer::DEFAULT_TIMEOUTS;
pub use tower::TowerTransport;
pub use transport::HttpTransport;

/// An error of any kind from below.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
