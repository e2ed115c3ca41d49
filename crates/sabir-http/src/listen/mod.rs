//! What servers of ours have in common: an address to listen at, connections, and bodies on their way out.

mod accepting;
mod outgoing;
mod relay;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sabir_core::{Error, ErrorKind, Result, Stage};
use tokio::net::TcpListener;

pub use accepting::Accepting;
pub use outgoing::Outgoing;
pub use relay::{Relay, strip};

/// Listens at an address (`127.0.0.1:8080`; port 0 takes a free one), and says which one it is.
///
/// # Errors
/// `Network`, not sent, where the address is taken or not ours; `Configuration` where it is no address.
pub async fn listen(address: &str) -> Result<(TcpListener, SocketAddr)> {
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let at = listener.local_addr()?;
        Ok((listener, at))
    };
    listening.await.map_err(|error| cannot_listen(address, error))
}

fn cannot_listen(address: &str, error: io::Error) -> Error {
    let (kind, why) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            ErrorKind::Network,
            "another program listens there; stop it or take another port (0 takes a free one)".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Network, "not allowed; ports below 1024 are the administrator's, take a higher one".to_owned())
        }
        io::ErrorKind::AddrNotAvailable => (
            ErrorKind::Network,
            "this machine has no such address; take 127.0.0.1, or 0.0.0.0 for all it has".to_owned(),
        ),
        io::ErrorKind::InvalidInput => {
            (ErrorKind::Configuration, "this is no address; write one like 127.0.0.1:8080".to_owned())
        }
        _ => (ErrorKind::Network, error.to_string()),
    };
    Error::new(kind, format!("cannot listen on {address}: {why}")).with_stage(Stage::NotSent).with_source(error)
}

/// The URL of a server at this address, without a path: a base URL for every dialect, with or without `/v1` behind it.
/// One that listens at all addresses of its machine is asked at the machine's own.
pub fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        address.set_ip(here);
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_can_be_asked() {
        for (address, expected) in [
            ("127.0.0.1:80", "http://127.0.0.1:80"),
            ("0.0.0.0:8911", "http://127.0.0.1:8911"),
            ("[::]:1", "http://[::1]:1"),
        ] {
            assert_eq!(url(address.parse().expect("an address")), expected);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_or_none_is_said_in_one_line() {
        let (_listener, at) = listen("127.0.0.1:0").await.expect("a free port");
        let taken = listen(&at.to_string()).await.expect_err("taken");
        assert_eq!((taken.kind(), taken.stage()), (ErrorKind::Network, Stage::NotSent));
        assert!(taken.message().contains("another program"), "{taken}");
        assert_eq!(listen("nowhere").await.expect_err("no address").kind(), ErrorKind::Configuration);
    }
}
