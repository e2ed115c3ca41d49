//! The service at the bottom of a client: finds who is called and calls it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sabir_core::drive::Origin;
use sabir_core::{Call, Reply, Request, Result, Service, Transport};
use sabir_http::HttpTransport;

use crate::registry::Registered;
use crate::{Env, Provider, Registry};

#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) registry: Registry,
    pub(crate) env: Env,
    /// The caller's transport, or ours, made when it is first needed: reading the root certificates takes a while.
    pub(crate) transport: OnceLock<Arc<dyn Transport>>,
    pub(crate) origins: RwLock<HashMap<String, (Arc<Provider>, Origin)>>,
}

impl Directory {
    fn origin(&self, id: &str, provider: &Arc<Provider>) -> Result<Origin> {
        let known = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, origin)) = known.get(id) {
            // A provider registered anew under the same id has an origin of its own.
            if Arc::ptr_eq(of, provider) {
                return Ok(origin.clone());
            }
        }
        drop(known);
        let origin = Origin::new(provider.dialect(), provider.endpoint(&self.env)?, self.transport()?);
        let mut known = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(id.to_owned(), (provider.clone(), origin.clone()));
        Ok(origin)
    }

    fn transport(&self) -> Result<Arc<dyn Transport>> {
        if let Some(transport) = self.transport.get() {
            return Ok(transport.clone());
        }
        let made: Arc<dyn Transport> = Arc::new(HttpTransport::new()?);
        Ok(self.transport.get_or_init(|| made).clone())
    }
}

impl Service for Directory {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        match self.registry.find(&call.provider)? {
            Registered::Provider(provider) => self.origin(&call.provider, &provider)?.call(call, request).await,
            Registered::Service(service) => service.call(call, request).await,
        }
    }
}
