//! Keys that cannot be put into a request as they are.

use std::fmt::Debug;

use bytes::Bytes;

use crate::Result;
use crate::transport::BoxFuture;

/// Authorizes a request when it is about to be sent and nothing in it will change any more: signs it, or puts in a
/// token that has to be fetched. Used as [`Auth::Signed`](crate::Auth::Signed).
///
/// Asynchronous, because keys of cloud platforms are given for a time and fetched over the network. The clock and the
/// network are the implementor's; this crate has neither.
pub trait Signer: Debug + Send + Sync + 'static {
    /// Adds what authorizes the request. Called once per attempt.
    ///
    /// # Errors
    /// What stands in the way; nothing has been sent to the provider then.
    fn sign<'a>(&'a self, request: &'a mut http::Request<Bytes>) -> BoxFuture<'a, Result<()>>;
}

/// One signer is equal to itself alone.
impl PartialEq for dyn Signer {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

impl Eq for dyn Signer {}
