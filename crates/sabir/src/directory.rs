//! The service at the bottom of a client: finds who is called and calls it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sabir_core::drive::{Limits, Origin, ask};
use sabir_core::models::{ModelInfo, ModelsRequest};
use sabir_core::{Call, Error, ErrorKind, Reply, Request, Result, Service, Transport};
use sabir_http::HttpTransport;

use crate::registry::Registered;
use crate::{Env, Provider, Registry};

/// The most pages that are read of a list of models: a service whose list never ends is not followed for ever.
const PAGES: usize = 100;

/// What was called already, by id, and the provider that it was made of.
type Origins = HashMap<String, (Arc<Provider>, Origin)>;

/// Cloning shares everything.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) registry: Registry,
    pub(crate) env: Env,
    /// The caller's transport, or ours, made when it is first needed: reading the root certificates takes a while.
    pub(crate) transport: Arc<OnceLock<Arc<dyn Transport>>>,
    pub(crate) origins: Arc<RwLock<Origins>>,
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
        let transport = self.transport()?;
        let endpoint = provider.endpoint(&self.env, &transport)?;
        let mut origin = match provider.dialect() {
            Some(dialect) => Origin::new(dialect, endpoint, transport),
            None => Origin::without_chat(endpoint, transport),
        };
        let (embedding, reranking, _) = provider.formats();
        if let Some(embedding) = embedding {
            origin = origin.with_embedding(embedding);
        }
        if let Some(reranking) = reranking {
            origin = origin.with_reranking(reranking);
        }
        let mut known = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(id.to_owned(), (provider.clone(), origin.clone()));
        Ok(origin)
    }

    /// All models that a provider lists, in its order.
    pub(crate) async fn models(&self, call: &Call) -> Result<Vec<ModelInfo>> {
        let id = &call.provider;
        let no_list = || {
            let message = format!("{id} lists no models, as far as is known here; see its documentation");
            Error::new(ErrorKind::Unsupported, message).with_provider(id)
        };
        let Registered::Provider(provider) = self.registry.find(id)? else {
            return Err(no_list());
        };
        let listing = provider.formats().2.ok_or_else(no_list)?;
        let origin = self.origin(id, &provider)?;
        let transport = self.transport()?;
        let mut request = ModelsRequest::default();
        let mut models = Vec::new();
        for _ in 0..PAGES {
            let page = ask(listing, origin.endpoint(), &*transport, call, &request, Limits::default()).await?;
            models.extend(page.models);
            if page.next_page.is_none() {
                return Ok(models);
            }
            request.page = page.next_page;
        }
        let message = format!("the list of models does not end after {PAGES} pages");
        Err(Error::new(ErrorKind::Decode, message).with_provider(id))
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
