//! Which requests go through which proxy.

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use sabir_core::{Error, ErrorKind, Result};

/// Proxies by scheme of the target, and the hosts that need none.
#[derive(Debug)]
pub(crate) struct Proxies(Option<Matcher>);

impl Proxies {
    /// One proxy for everything.
    pub(crate) fn one(url: &str) -> Result<Self> {
        check("given to the builder", url)?;
        Ok(Self(Some(Matcher::builder().all(url.to_owned()).build())))
    }

    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// What the environment says, by curl's rules: the lower-case name wins, an empty value counts as unset,
    /// and `HTTP_PROXY` is not read in a CGI program, where a request's `Proxy:` header would set it
    /// (<https://httpoxy.org>).
    pub(crate) fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let cgi = get("REQUEST_METHOD").is_some();
        let either = |lower: &str| {
            let upper = lower.to_ascii_uppercase();
            let read = |name: &str| get(name).filter(|value| !value.is_empty());
            read(lower).or_else(|| if cgi && lower == "http_proxy" { None } else { read(&upper) })
        };
        let mut builder = Matcher::builder();
        let mut any = false;
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            let Some(url) = either(name) else { continue };
            check(&format!("in {}", name.to_ascii_uppercase()), &url)?;
            any = true;
            builder = match name {
                "http_proxy" => builder.http(url),
                "https_proxy" => builder.https(url),
                _ => builder.all(url),
            };
        }
        if !any {
            return Ok(Self::none());
        }
        Ok(Self(Some(builder.no(either("no_proxy").unwrap_or_default()).build())))
    }

    /// The proxy for a target, if it needs one.
    pub(crate) fn for_target(&self, target: &Uri) -> Option<Intercept> {
        self.0.as_ref()?.intercept(target)
    }

    /// The credentials that a request itself must carry: those of a proxy that is spoken to in plain HTTP.
    pub(crate) fn credentials_for(&self, target: &Uri) -> Option<HeaderValue> {
        if self.0.is_none() || target.scheme_str() != Some("http") {
            return None;
        }
        self.for_target(target)?.basic_auth().cloned()
    }
}

/// A proxy that cannot be used must not be ignored: the request would go out directly instead.
fn check(place: &str, url: &str) -> Result<()> {
    let parsed = Matcher::builder().all(url.to_owned()).build().intercept(&Uri::from_static("http://target"));
    match parsed.as_ref().and_then(|p| p.uri().scheme_str()) {
        Some("http" | "socks5" | "socks5h") => Ok(()),
        // The URL may hold a password, so it is not shown.
        _ => Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "the proxy {place} cannot be used; write it as http://host:port, socks5://host:port or socks5h://host:port"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies> {
        Proxies::from_env(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn chosen(proxies: &Proxies, target: &'static str) -> Option<String> {
        proxies.for_target(&Uri::from_static(target)).map(|p| p.uri().authority().expect("an authority").to_string())
    }

    #[test]
    fn by_scheme_with_all_as_the_rest() {
        let p = proxies(&[("HTTP_PROXY", "http://a:1"), ("all_proxy", "http://b:2")]).unwrap();
        assert_eq!(chosen(&p, "http://x/").as_deref(), Some("a:1"));
        assert_eq!(chosen(&p, "https://x/").as_deref(), Some("b:2"));
    }

    #[test]
    fn lower_case_wins_and_empty_is_unset() {
        let p = proxies(&[("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://up:1")]).unwrap();
        assert_eq!(chosen(&p, "https://x/").as_deref(), Some("low:1"));
        let p = proxies(&[("https_proxy", ""), ("HTTPS_PROXY", "http://up:1")]).unwrap();
        assert_eq!(chosen(&p, "https://x/").as_deref(), Some("up:1"));
        assert_eq!(chosen(&p, "http://x/"), None);
    }

    #[test]
    fn no_proxy_names_domains_addresses_and_ranges() {
        let p = proxies(&[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "example.com, 10.0.0.0/8,::1")]).unwrap();
        for direct in ["http://example.com/", "https://api.example.com/", "http://10.1.2.3/", "http://[::1]/"] {
            assert_eq!(chosen(&p, direct), None, "{direct}");
        }
        for through in ["http://notexample.com/", "http://11.1.2.3/"] {
            assert_eq!(chosen(&p, through).as_deref(), Some("p:1"), "{through}");
        }
        let p = proxies(&[("ALL_PROXY", "http://p:1"), ("no_proxy", "*")]).unwrap();
        assert_eq!(chosen(&p, "http://anything/"), None);
    }

    #[test]
    fn in_cgi_only_the_lower_case_http_proxy_is_read() {
        let vars = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil:1"), ("HTTPS_PROXY", "http://good:1")];
        let p = proxies(&vars).unwrap();
        assert_eq!(chosen(&p, "http://x/"), None);
        assert_eq!(chosen(&p, "https://x/").as_deref(), Some("good:1"));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_showing_it() {
        for bad in
            ["ftp://user:hunter2@p:1", "https://user:hunter2@p:1", "socks4://user:hunter2@p:1", "http://", "not a url"]
        {
            let error = proxies(&[("HTTPS_PROXY", bad)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().contains("HTTPS_PROXY") && !error.message().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn credentials_go_into_plain_requests_only() {
        let p = Proxies::one("http://Aladdin:open%20sesame@p:1").unwrap();
        let sent = p.credentials_for(&Uri::from_static("http://x/")).unwrap();
        assert_eq!(sent, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(sent.is_sensitive());
        assert_eq!(p.credentials_for(&Uri::from_static("https://x/")), None);
    }
}
