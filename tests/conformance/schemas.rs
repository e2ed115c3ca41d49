//! The services' descriptions of what they take and give.

use std::collections::HashMap;
use std::path::Path;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::subjects::SUBJECTS;

/// One description of one body: the bundle, the operation in it, and which of its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) bundle: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) body: Body,
}

/// Which body of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body {
    Request,
    Response,
    Stream,
    Error,
}

/// All descriptions that are needed, ready to use.
pub(crate) struct Schemas(HashMap<Slot, Validator>);

impl Schemas {
    /// Reads the bundles.
    pub(crate) fn load() -> Self {
        let bodies = [Body::Request, Body::Response, Body::Stream, Body::Error];
        Self::of(bodies.iter().flat_map(|body| SUBJECTS.iter().flat_map(|subject| subject.slots(*body))))
    }

    /// Reads the bundles of these descriptions.
    pub(crate) fn of(slots: impl Iterator<Item = Slot>) -> Self {
        let mut bundles = HashMap::new();
        let mut all = HashMap::new();
        for slot in slots {
            let side = if slot.body == Body::Request { "requests" } else { "answers" };
            let name = format!("{}.{side}.json", slot.bundle);
            let bundle = bundles.entry(name).or_insert_with_key(|name| read(name));
            let body = format!("{:?}", slot.body).to_lowercase();
            let root = &bundle["x-operations"][slot.operation][body];
            if root.is_null() || all.contains_key(&slot) {
                continue;
            }
            let mut schema = bundle.clone();
            schema["$ref"] = root.clone();
            let validator = jsonschema::draft202012::options().build(&schema);
            all.insert(slot, validator.unwrap_or_else(|error| panic!("{slot:?}: {error}")));
        }
        Self(all)
    }

    /// Whether one of these descriptions holds for a body; else what each has against it. `None` where there is no
    /// description.
    pub(crate) fn check(&self, slots: impl Iterator<Item = Slot>, body: &Value) -> Option<Result<(), String>> {
        let mut complaints = Vec::new();
        for (slot, validator) in slots.filter_map(|slot| self.0.get_key_value(&slot)) {
            if validator.is_valid(body) {
                return Some(Ok(()));
            }
            let error = validator.iter_errors(body).next().expect("what is not valid has an error");
            complaints.push(format!("{} {}: {}", slot.bundle, slot.operation, complaint(&error)));
        }
        (!complaints.is_empty()).then(|| Err(complaints.join("; ")))
    }
}

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Where it fails and why, in the alternative that came furthest: a union as such says nothing.
fn complaint(error: &ValidationError<'_>) -> String {
    let deepest = deepest(error);
    let why: String = deepest.to_string().chars().take(160).collect();
    format!("{} {why}", deepest.instance_path())
}

fn deepest<'a, 'b>(error: &'a ValidationError<'b>) -> &'a ValidationError<'b> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return error;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    // A branch with one complaint is nearer to what was meant than one with many.
    let branches = context.iter().filter(|branch| !branch.is_empty());
    let inner = branches.map(|branch| {
        let error = branch.iter().map(deepest).max_by_key(|error| depth(error)).expect("it is not empty");
        (depth(error), usize::MAX - branch.len(), error)
    });
    inner.max_by_key(|(depth, few, _)| (*depth, *few)).map_or(error, |(.., error)| error)
}
