use sabir_core::chat::Meta;

/// The service tier that an answer says it was given in (in its `meta`), or that a request asks for (in its `options`):
/// a field of that name in what a dialect alone has, or in the usage that it reports.
pub fn service_tier(meta: &Meta) -> Option<&str> {
    let said = |dialect| {
        let of = |field| meta.get(dialect, field);
        let used = || of("usage").or_else(|| of("usageMetadata"))?.get("service_tier");
        of("service_tier").or_else(|| of("serviceTier")).or_else(used)?.as_str()
    };
    meta.dialects().find_map(said)
}
