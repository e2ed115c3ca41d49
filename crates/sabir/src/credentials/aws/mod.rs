//! AWS identities and regions, from where people keep them.
//!
//! In this order, the first that is there: keys given in code; `AWS_BEARER_TOKEN_BEDROCK`, an API key of Bedrock's;
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; the profile files; and, where they are allowed
//! by [`Aws::endpoints`], the endpoint of a container and that of an instance. A profile that is named in code goes
//! before the environment. This is the order of AWS's own SDKs, but for what they know besides: single sign-on, roles to
//! assume and external processes, which `aws configure export-credentials` turns into keys.

mod endpoints;
mod profile;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::lock::Mutex;
use sabir_core::transport::BoxFuture;
use sabir_core::{Auth, Endpoint, Error, ErrorKind, Result, Secret, Signer, Transport};
pub use sabir_dialects::auth::sigv4::Credentials;
use sabir_dialects::auth::sigv4::{Scope, sign};

use crate::Env;

/// How long before their end keys are fetched anew, and how long keys without an end are kept before their place is
/// looked at again: tools write new ones there.
const EARLY: Duration = Duration::from_secs(300);

/// How long to wait after new keys could not be had while the old ones still hold.
const AGAIN: Duration = Duration::from_secs(60);

/// An AWS identity and a region: what Bedrock needs in place of a key.
///
/// ```no_run
/// # use std::sync::Arc;
/// # fn example(transport: Arc<dyn sabir::Transport>) -> sabir::Result<()> {
/// let mut endpoint = sabir::Endpoint { provider: "bedrock".into(), ..Default::default() };
/// sabir::credentials::aws::Aws::new(sabir::Env::process(), transport).region("eu-west-3").complete(&mut endpoint)?;
/// assert_eq!(endpoint.base_url, "https://bedrock-runtime.eu-west-3.amazonaws.com");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Aws {
    env: Env,
    transport: Arc<dyn Transport>,
    keys: Option<Credentials>,
    profile: Option<String>,
    region: Option<String>,
    endpoints: bool,
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("env", &self.env)
            .field("keys", &self.keys)
            .field("profile", &self.profile)
            .field("region", &self.region)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// An identity from an environment. The transport is for the endpoints of containers and instances.
    pub fn new(env: Env, transport: Arc<dyn Transport>) -> Self {
        let now = Arc::new(SystemTime::now);
        Self { env, transport, keys: None, profile: None, region: None, endpoints: false, now }
    }

    /// Sets the keys.
    #[must_use]
    pub fn keys(mut self, keys: Credentials) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Names the profile, over `AWS_PROFILE` and over keys in the environment.
    #[must_use]
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Sets the region, over `AWS_REGION`, `AWS_DEFAULT_REGION` and the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Allows keys to be fetched over HTTP: from a container's endpoint, which `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`
    /// or `AWS_CONTAINER_CREDENTIALS_FULL_URI` name, else from the instance's metadata service (`IMDSv2`). Not allowed
    /// unless this says so: outside AWS whoever answers at those addresses is somebody else.
    #[must_use]
    pub fn endpoints(mut self, allowed: bool) -> Self {
        self.endpoints = allowed;
        self
    }

    /// Sets the clock: the system's unless this says otherwise. AWS refuses signatures that are five minutes off.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// Completes an endpoint of Bedrock's: where it has no base URL, by the region; and where it has no key, by a bearer
    /// key from the environment or by signing. Nothing is fetched before the first request.
    ///
    /// # Errors
    /// `Configuration` where no region is set, or the profile that should say it is not there.
    pub fn complete(self, endpoint: &mut Endpoint) -> Result<()> {
        if endpoint.base_url.is_empty() {
            endpoint.base_url = base_url(&self.env, &self.known_region()?);
        }
        if endpoint.key.is_some() {
            return Ok(());
        }
        let bearer = self.env.get("AWS_BEARER_TOKEN_BEDROCK").filter(|_| self.keys.is_none() && self.profile.is_none());
        if let Some(key) = bearer {
            (endpoint.auth, endpoint.key) = (Auth::Bearer, Some(Secret::new(key)));
        } else {
            let region = self.known_region()?;
            endpoint.auth = Auth::Signed(Arc::new(AwsSigner { source: self, region, kept: Mutex::new(None) }));
        }
        Ok(())
    }

    fn known_region(&self) -> Result<String> {
        region(&self.env, self.region.as_deref(), self.profile.as_deref())
    }

    /// The keys that are good now, from the first place that has any.
    async fn find(&self) -> Result<Found> {
        if let Some(keys) = &self.keys {
            return Ok(Found::lasting(keys.clone()));
        }
        if self.profile.is_none()
            && let Some(keys) = from_env(&self.env)?
        {
            return Ok(Found::lasting(keys));
        }
        if let Some(keys) = profile::load(&self.env, self.profile.as_deref())?.keys()? {
            return Ok(Found::lasting(keys));
        }
        if self.endpoints {
            if let Some(found) = endpoints::container(&self.env, &*self.transport).await? {
                return Ok(found);
            }
            if let Some(found) = endpoints::instance(&self.env, &*self.transport).await? {
                return Ok(found);
            }
        }
        Err(configuration(
            "no AWS keys: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run \
             `aws configure`; in a container or on an instance, allow its endpoint",
        ))
    }
}

/// Where Bedrock answers, as far as an environment and its profile say.
pub(crate) fn usual_base_url(env: &Env) -> Result<String> {
    Ok(base_url(env, &region(env, None, None)?))
}

fn region(env: &Env, given: Option<&str>, profile: Option<&str>) -> Result<String> {
    let region = match given.map(str::to_owned).or_else(|| env.first(["AWS_REGION", "AWS_DEFAULT_REGION"])) {
        Some(region) => Some(region),
        None => profile::load(env, profile)?.region,
    };
    let region = region.ok_or_else(|| {
        configuration("no AWS region is set: set AWS_REGION (us-east-1, for instance) or a region in the profile")
    })?;
    // It becomes a part of a host's name.
    if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(configuration("the AWS region is not one: write it like us-east-1"));
    }
    Ok(region)
}

/// Where Bedrock answers in a region, unless the environment says otherwise.
fn base_url(env: &Env, region: &str) -> String {
    let given = env.first(["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"]);
    given.map_or_else(
        || {
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://bedrock-runtime.{region}.{domain}")
        },
        |url| url.trim_end_matches('/').to_owned(),
    )
}

/// Keys, and until when they hold; without end where nothing says so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    keys: Credentials,
    until: Option<SystemTime>,
}

impl Found {
    fn lasting(keys: Credentials) -> Self {
        Self { keys, until: None }
    }

    fn holds(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// When to look for new ones.
    fn renew_at(&self, now: SystemTime) -> SystemTime {
        let Some(until) = self.until else { return now + EARLY };
        // Keys that do not even live that long are renewed when half of their time is over.
        let left = until.duration_since(now).unwrap_or_default();
        now + left.checked_sub(EARLY).filter(|early| !early.is_zero()).unwrap_or(left / 2)
    }
}

fn from_env(env: &Env) -> Result<Option<Credentials>> {
    match (env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key), Some(secret_key)) => Ok(Some(Credentials {
            access_key,
            secret_key: Secret::new(secret_key),
            session_token: env.get("AWS_SESSION_TOKEN").map(Secret::new),
        })),
        (Some(_), None) => Err(configuration("AWS_ACCESS_KEY_ID is set, but not AWS_SECRET_ACCESS_KEY: set both")),
        (None, Some(_)) => Err(configuration("AWS_SECRET_ACCESS_KEY is set, but not AWS_ACCESS_KEY_ID: set both")),
        (None, None) => Ok(None),
    }
}

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// Signs with keys that it keeps until shortly before they end. While they are fetched, other requests wait: one
/// fetch serves them all.
#[derive(Debug)]
struct AwsSigner {
    source: Aws,
    region: String,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    renew_at: SystemTime,
}

impl AwsSigner {
    async fn keys(&self, now: SystemTime) -> Result<Credentials> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = &*kept
            && now < kept.renew_at
            && kept.found.holds(now)
        {
            return Ok(kept.found.keys.clone());
        }
        match (self.source.find().await, &mut *kept) {
            (Ok(found), _) if !found.holds(now) => {
                Err(Error::new(ErrorKind::Authentication, "the AWS keys that were found have run out; log in again"))
            }
            (Ok(found), kept) => {
                let keys = found.keys.clone();
                *kept = Some(Kept { renew_at: found.renew_at(now), found });
                Ok(keys)
            }
            (Err(_), Some(old)) if old.found.holds(now) => {
                old.renew_at = now + AGAIN;
                Ok(old.found.keys.clone())
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Signer for AwsSigner {
    fn sign<'a>(&'a self, request: &'a mut http::Request<Bytes>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let now = (self.source.now)();
            let keys = self.keys(now).await?;
            sign(request, &keys, Scope { region: &self.region, service: "bedrock" }, now)
        })
    }
}
