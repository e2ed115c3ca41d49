//! Connections that are kept, by the runtimes that they were made in.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sabir_core::transport::Transport;
use sabir_http::HttpTransport;
use support::*;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server with a runtime of its own, which ends with what is given, and how many connections it accepted.
fn server() -> (Runtime, SocketAddr, Arc<AtomicUsize>) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, connections) = runtime.block_on(hyper_server(None, |_| async { answer("salt") }));
    (runtime, address, connections)
}

async fn ask(http: &HttpTransport, address: SocketAddr) {
    let answered = in_time(http.send(get(format!("http://{address}/")))).await.unwrap();
    assert_eq!(text(answered.into_body()).await, "salt");
}

#[test]
fn a_runtime_uses_its_connections_again_and_none_of_one_that_is_gone() {
    let (_serving, address, connections) = server();
    let http = transport();
    for round in 1..=3 {
        let runtime = runtime();
        for _ in 0..4 {
            // Each apart, so that nothing of one is under way in the next.
            runtime.block_on(ask(&http, address));
        }
        assert_eq!(connections.load(Ordering::SeqCst), round, "one for each runtime");
        drop(runtime);
    }
}

#[test]
fn runtimes_side_by_side_have_connections_of_their_own() {
    let (_serving, address, connections) = server();
    let http = transport();
    let runtimes = [runtime(), runtime()];
    for _ in 0..3 {
        for runtime in &runtimes {
            runtime.block_on(ask(&http, address));
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    // At once, each on a thread of its own.
    std::thread::scope(|scope| {
        for runtime in runtimes {
            let http = &http;
            scope.spawn(move || (0..20).for_each(|_| runtime.block_on(ask(http, address))));
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn threads_of_one_runtime_share_its_connections() {
    let (_serving, address, connections) = server();
    let http = transport();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..6 {
        let http = http.clone();
        runtime.block_on(runtime.spawn(async move { ask(&http, address).await })).unwrap();
        runtime.block_on(tokio::task::yield_now());
    }
    // Whoever asks before the connection is back makes another.
    assert!(connections.load(Ordering::SeqCst) <= 2, "{connections:?}");
}

#[test]
fn more_runtimes_than_are_remembered_are_answered_all_the_same() {
    let (_serving, address, connections) = server();
    let http = transport();
    let first = runtime();
    first.block_on(ask(&http, address));
    for _ in 0..300 {
        runtime().block_on(ask(&http, address));
    }
    // Its pool made room for others: it gets a new one, and keeps that.
    let before = connections.load(Ordering::SeqCst);
    for _ in 0..3 {
        first.block_on(ask(&http, address));
    }
    assert_eq!((before, connections.load(Ordering::SeqCst)), (301, 302));
}
