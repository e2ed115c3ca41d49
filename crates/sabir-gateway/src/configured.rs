//! A gateway made of a configuration, which it follows.

use std::sync::Arc;
use std::time::SystemTime;

use sabir::config::{Config, GatewayKey, Live, RequestLogConfig, Watch};
#[cfg(feature = "request-log")]
use sabir::ledger::{RequestLog, SqliteRequests};
use sabir::{Client, Error, ErrorKind, Registry, Result};

use crate::admin::Operator;
use crate::mcp::Servers;
use crate::request_log::Rows;
use crate::{AccessLog, Gateway, Keys, VirtualKey};

impl Gateway {
    /// Answers as a configuration's section `gateway` says, from a client that was made of the same. Keys that are kept
    /// in files or told by commands are fetched now.
    ///
    /// # Errors
    /// `Configuration` where a key cannot be fetched, or the access log not be opened.
    pub fn from_config(client: Client, config: &Config) -> Result<Self> {
        Self::made(client, config, None, None)
    }

    /// Some things go on where they were: the files of the logs, and what is kept of an issuer.
    fn made(client: Client, config: &Config, log: Option<AccessLog>, before: Option<&Self>) -> Result<Self> {
        let said = &config.gateway;
        let longest = usize::try_from(said.max_body.0).unwrap_or(usize::MAX);
        let mut gateway = Self::new(client).longest_body(longest).models(said.models.iter().cloned());
        let longest = usize::try_from(said.abandoned.at_most.0).unwrap_or(usize::MAX);
        gateway = gateway.read_on(said.abandoned.read_on, longest);
        gateway = gateway.passage(said.passage).raw(said.raw);
        if let Some(keys) = keys(config, gateway.client().registry())? {
            gateway = gateway.keys(keys);
        }
        if let Some(key) = &said.admin_key {
            gateway = gateway.admin(&key.resolve()?);
        }
        if let Some(said) = &said.oidc {
            gateway = gateway.tokens(said, before)?;
        }
        let servers = Servers::of(config, before.map(|before| before.now().mcp.clone()).as_ref())?;
        gateway = gateway.set(|inner| inner.mcp = servers);
        if let Some(said) = &said.access_log {
            let open = || said.path.as_ref().map_or_else(AccessLog::stderr, AccessLog::file);
            gateway = gateway.access_log(log.map_or_else(open, Ok)?);
        }
        if let Some(said) = &said.request_log {
            let before = before.map(Self::now);
            gateway = gateway.rows(rows(said, before.as_ref().and_then(|before| before.rows.as_ref()))?);
        }
        Ok(gateway)
    }

    /// As [`from_config`](Self::from_config), of a client that follows its configuration; the administrator may change
    /// keys while it runs (`/admin/v1`).
    ///
    /// # Errors
    /// As [`from_config`](Self::from_config).
    pub fn live(live: &Live) -> Result<Self> {
        let gateway = Self::from_config(live.client(), &live.config())?;
        let operated = gateway.operator().set(Operator::new(live.clone()));
        operated.map_err(|_| Error::new(ErrorKind::Configuration, "the gateway is operated already"))?;
        Ok(gateway)
    }

    /// Reads the configuration anew. Requests from now on go by it; those under way end as they began.
    ///
    /// # Errors
    /// `Configuration`, with all that is wrong; what was there stays.
    pub fn reload(&self) -> Result<()> {
        let operator = self.operator().get().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "this gateway follows no configuration; start it again")
        })?;
        operator.live().reload()?;
        self.follow(operator.live())
    }

    /// Reads the configuration anew whenever its file is written, and tells how that went, until what it gives is
    /// dropped.
    ///
    /// # Errors
    /// As [`Live::watch`].
    pub fn watch(&self, live: &Live, tell: impl Fn(Result<()>) + Send + 'static) -> Result<Watch> {
        let (gateway, followed) = (self.clone(), live.clone());
        live.watch(move |read| tell(read.and_then(|()| gateway.follow(&followed))))
    }

    /// Goes by what was read.
    pub(crate) fn follow(&self, live: &Live) -> Result<()> {
        // The same file goes on: to open it anew would be to lose what waits to be written.
        let fresh = Self::made(live.client(), &live.config(), self.log(), Some(self))?;
        if fresh.is_open() && !self.is_open() {
            let message = "gateway: there are no keys any more, and everybody would be let in; start it again for that";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        self.become_like(&fresh);
        Ok(())
    }
}

/// The log of requests: the one that was there goes on where it is the same.
#[cfg(feature = "request-log")]
fn rows(said: &RequestLogConfig, before: Option<&Rows>) -> Result<Rows> {
    let of = (said.path.clone(), said.keep);
    let log: Arc<dyn RequestLog> = match before.filter(|before| before.of.as_ref() == Some(&of)) {
        Some(before) => before.log.clone(),
        None => Arc::new(SqliteRequests::open(&said.path, said.keep)?),
    };
    Ok(Rows { log, sample: said.sample.0, content: said.content, of: Some(of) })
}

#[cfg(not(feature = "request-log"))]
fn rows(_: &RequestLogConfig, _: Option<&Rows>) -> Result<Rows> {
    let message = "gateway.request_log: this program was built without one (the feature `request-log`)";
    Err(Error::new(ErrorKind::Configuration, message))
}

impl Gateway {
    /// Tokens open what is the administrator's. Keys that were fetched stay, where the same issuer is asked for the same.
    #[cfg(feature = "oidc")]
    fn tokens(self, said: &sabir::config::OidcConfig, before: Option<&Self>) -> Result<Self> {
        let kept = before.and_then(|before| before.now().admin.tokens()).filter(|kept| kept.is_of(said));
        let tokens = kept.map_or_else(|| crate::oidc::Oidc::new(said).map(Arc::new), Ok)?;
        Ok(self.set(|inner| inner.admin.admit_tokens(tokens)))
    }

    #[cfg(not(feature = "oidc"))]
    #[expect(clippy::unused_self, reason = "it is used where there is an issuer")]
    fn tokens(self, _: &sabir::config::OidcConfig, _: Option<&Self>) -> Result<Self> {
        let message = "gateway.oidc: this program was built without it (sabir-gateway's feature `oidc`)";
        Err(Error::new(ErrorKind::Configuration, message))
    }
}

/// Who is let in; `None` where everybody is.
fn keys(config: &Config, registry: &Registry) -> Result<Option<Keys>> {
    let said = &config.gateway;
    if said.keys.is_empty() && said.key.is_none() && said.state.is_none() {
        return Ok(None);
    }
    let keys = Keys::new();
    if let Some(key) = &said.key {
        let mut about = VirtualKey::new("default");
        about.mcp.clone_from(&said.mcp);
        keys.admit(key.resolve()?.expose(), about);
    }
    for (name, key) in &said.keys {
        let about = Arc::new(about(config, registry, (name, key)));
        for one in key.hash.iter().flat_map(|hashes| hashes.iter()) {
            let until = one.expires.map(|end| SystemTime::UNIX_EPOCH + end.0);
            keys.admit_hash(one.hash.0, about.clone(), until);
        }
        if let Some(secret) = &key.key {
            keys.admit_hash(Keys::hash(&secret.resolve()?), about, None);
        }
    }
    Ok(Some(keys))
}

/// These, and the own ids of providers that they name by an alias: calls are known by those.
fn by_own_ids(registry: &Registry, models: &[String]) -> Vec<String> {
    let by_own_id = |model: &String| {
        let (name, rest) = model.split_once('/').filter(|(name, _)| !name.contains(':'))?;
        let own = registry.own_id(name);
        (own != name).then(|| format!("{own}/{rest}"))
    };
    models.iter().cloned().chain(models.iter().filter_map(by_own_id)).collect()
}

fn about(config: &Config, registry: &Registry, (name, said): (&str, &GatewayKey)) -> VirtualKey {
    let team = said.team.as_ref().and_then(|team| config.gateway.teams.get(team));
    let mut key = VirtualKey::new(name).models(by_own_ids(registry, &said.models));
    if let Some(team) = &said.team {
        key = key.tenant(team);
    }
    let shared = team.iter().flat_map(|team| &team.tags).filter(|(tag, _)| !said.tags.contains_key(*tag));
    key.tags = said.tags.iter().chain(shared).map(|(tag, value)| (tag.clone(), value.clone())).collect();
    key.raw = said.raw || team.is_some_and(|team| team.raw);
    key.strict = said.strict || team.is_some_and(|team| team.strict);
    key.team_models = team.map(|team| by_own_ids(registry, &team.models)).unwrap_or_default();
    key.mcp = match team.map(|team| &team.mcp).filter(|servers| !servers.is_empty()) {
        Some(servers) if said.mcp.is_empty() => servers.clone(),
        Some(servers) => said.mcp.iter().filter(|name| servers.contains(name)).cloned().collect(),
        None => said.mcp.clone(),
    };
    (key.team, key.user, key.disabled) = (said.team.clone(), said.user.clone(), said.disabled);
    key.expires = said.expires.map(|end| SystemTime::UNIX_EPOCH + end.0);
    key
}
