//! The service at the bottom of a client: finds who is called and calls it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sabir_core::drive::{Batches, Limits, Origin, ask};
use sabir_core::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir_core::{Answering, Call, Error, ErrorKind, Reply, Request, Result, Service, Transport};
use sabir_http::HttpTransport;
use sabir_layers::{End, Watch, watch};

use crate::registry::Registered;
use crate::{Env, Provider, Registry};

/// The most pages that are read of a list of models: a service whose list never ends is not followed for ever.
const PAGES: usize = 100;

/// What was called already, by id: with the provider's own key, and with keys that the calls bring.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    own_key: HashMap<String, Known>,
    given_key: HashMap<String, Known>,
}

impl Origins {
    fn known(&self, key_is_given: bool) -> &HashMap<String, Known> {
        if key_is_given { &self.given_key } else { &self.own_key }
    }

    fn known_mut(&mut self, key_is_given: bool) -> &mut HashMap<String, Known> {
        if key_is_given { &mut self.given_key } else { &mut self.own_key }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The provider that it was made of.
    of: Arc<Provider>,
    chat: Origin,
    /// What is asked for all but conversations.
    besides_chat: Origin,
}

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
    /// What a provider is asked at: for conversations, or for all else.
    fn origin(&self, call: &Call, provider: &Arc<Provider>, for_chat: bool) -> Result<Origin> {
        let (id, key_is_given) = (&*call.place(), call.key.is_some());
        let pick = |known: &Known| if for_chat { known.chat.clone() } else { known.besides_chat.clone() };
        let known = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        // A provider registered anew under the same id has origins of its own.
        if let Some(found) = known.known(key_is_given).get(id).filter(|found| Arc::ptr_eq(&found.of, provider)) {
            return Ok(pick(found));
        }
        drop(known);
        let chat = self.make(provider, key_is_given)?;
        let besides_chat = match provider.besides_chat() {
            Some(elsewhere) => self.make(&elsewhere, key_is_given)?,
            None => chat.clone(),
        };
        let made = Known { of: provider.clone(), chat, besides_chat };
        let picked = pick(&made);
        let mut known = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        known.known_mut(key_is_given).insert(id.to_owned(), made);
        Ok(picked)
    }

    fn make(&self, provider: &Provider, key_is_given: bool) -> Result<Origin> {
        let transport = self.transport()?;
        let endpoint = if key_is_given {
            provider.endpoint_for_given_key(&self.env, &transport)?
        } else {
            provider.endpoint(&self.env, &transport)?
        };
        Ok(provider.origin(endpoint, transport))
    }

    /// All models that a provider lists, in its order.
    pub(crate) async fn models(&self, call: &Call) -> Result<Vec<ModelInfo>> {
        let id = &call.provider;
        let mut request = ModelsRequest::default();
        let mut models = Vec::new();
        for _ in 0..PAGES {
            let page = self.list(call, &request).await?;
            models.extend(page.models);
            if page.next_page.is_none() {
                return Ok(models);
            }
            request.page = page.next_page;
        }
        let message = format!("the list of models does not end after {PAGES} pages");
        Err(Error::new(ErrorKind::Decode, message).with_provider(id))
    }

    /// What a provider knows of one of its models.
    pub(crate) async fn model(&self, call: &Call, model: String) -> Result<ModelInfo> {
        let nothing = || {
            let error = Error::new(ErrorKind::Decode, "one model was asked for and none came back");
            error.with_provider(&call.provider).with_model(&model)
        };
        self.list(call, &ModelsRequest::one(&model)).await?.models.pop().ok_or_else(nothing)
    }

    /// One page of models, or one model.
    async fn list(&self, call: &Call, request: &ModelsRequest) -> Result<ModelsResponse> {
        let id = &call.provider;
        let no_list = || {
            let message = format!("{id} lists no models, as far as is known here; see its documentation");
            Error::new(ErrorKind::Unsupported, message).with_provider(id)
        };
        let Registered::Provider(provider) = self.registry.find(&call.place())? else {
            return Err(no_list());
        };
        let listing = provider.lists_in().ok_or_else(no_list)?;
        let origin = self.origin(call, &provider, false)?;
        ask(listing, origin.endpoint(), &*self.transport()?, call, request, Limits::default()).await
    }

    /// A provider's batches.
    pub(crate) fn batches(&self, call: &Call) -> Result<Batches> {
        let id = &call.provider;
        let none = || {
            let message = format!("{id} takes no batches, as far as is known here; ask it line by line");
            Error::new(ErrorKind::Unsupported, message).with_provider(id)
        };
        let Registered::Provider(provider) = self.registry.find(&call.place())? else {
            return Err(none());
        };
        let (format, dialect) = provider.batches_in().zip(provider.dialect()).ok_or_else(none)?;
        let chat = self.origin(call, &provider, true)?.endpoint().clone();
        let endpoint = self.origin(call, &provider, false)?.endpoint().clone();
        Batches::new(format, dialect, (chat, endpoint), self.transport()?, call.clone())
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
        let registered = self.registry.find(&call.place())?;
        call.trail.leaves();
        match registered {
            Registered::Provider(provider) => {
                let for_chat = matches!(request, Request::Chat(_));
                self.origin(call, &provider, for_chat)?.call(call, request).await
            }
            Registered::Service(service) => {
                // What it says itself takes this one's place.
                call.trail.answers(Answering::of(&call.provider, request.model()));
                Ok(watch(service.call(call, request).await?, Named(call.provider.clone())))
            }
        }
    }
}

/// Says of a service's answers whose they are, where it does not itself.
struct Named(String);

impl Watch for Named {
    fn end(&mut self, end: End<'_>) {
        if let End::Answer(response) = end
            && response.provider.is_empty()
        {
            response.provider = std::mem::take(&mut self.0);
        }
    }
}
