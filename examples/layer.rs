//! A policy of one's own around every call: a layer is one struct with one method.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sabir::{Call, Layer, Reply, Request, Result, Service, Shared};

/// Counts the calls that pass. The count lives in the layer, so that it outlives every refolding of the client.
#[derive(Clone, Debug, Default)]
struct Count(Arc<AtomicU64>);

impl Layer for Count {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Counting { inner, count: self.0.clone() })
    }
}

#[derive(Debug)]
struct Counting {
    inner: Shared,
    count: Arc<AtomicU64>,
}

impl Service for Counting {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(call, request).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let count = Count::default();
    let client = sabir_examples::client()?.with_layer(count.clone());
    client.complete("One.").await?;
    client.stream("Two.").await?.finish().await?;
    println!("{} calls", count.0.load(Ordering::Relaxed));
    Ok(())
}
